# Writes OUTPUT, a C++ file that holds the text of INPUT. Raw strings have a length limit in some
# compilers, so the text is cut into pieces.
file(READ "${INPUT}" text)
set(pieces "")
string(LENGTH "${text}" left)
set(at 0)
while(at LESS left)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "R\"embed(${piece})embed\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE "${OUTPUT}" "#include <string_view>
namespace ${SPACE} {
extern const std::string_view ${NAME};
const std::string_view ${NAME} =
${pieces};
}
")
