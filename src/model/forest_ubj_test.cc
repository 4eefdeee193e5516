#include "model/forest_ubj.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A literal with zeros inside.
template <std::size_t size>
std::string bytes(const char (&literal)[size]) {
  return {literal, size - 1};
}

template <class T>
Result<std::vector<T>> read_numbers(const std::string& document) {
  UbjReader reader(document);
  UbjValue value = TRY(open_ubj(reader));
  std::vector<T> numbers;
  TRY(value.numbers(numbers));
  return numbers;
}

Result<void> skip(const std::string& document) {
  UbjReader reader(document);
  UbjValue value = TRY(open_ubj(reader));
  return value.skip();
}

TEST(Ubj, ReadsArraysOfEveryNumberType) {
  EXPECT_THAT(*read_numbers<int>(bytes("[$i#U\3\1\xff\x80")), ElementsAre(1, -1, -128));
  EXPECT_THAT(*read_numbers<int>(bytes("[$U#U\2\1\xff")), ElementsAre(1, 255));
  EXPECT_THAT(*read_numbers<int>(bytes("[$I#i\1\xff\xfe")), ElementsAre(-2));
  EXPECT_THAT(*read_numbers<int>(bytes("[$l#I\0\1\0\1\0\0")), ElementsAre(65536));
  EXPECT_THAT(
      *read_numbers<std::int64_t>(bytes("[$L#l\0\0\0\1\0\0\0\1\0\0\0\0")), ElementsAre(1LL << 32)
  );
  EXPECT_THAT(*read_numbers<float>(bytes("[$d#L\0\0\0\0\0\0\0\1\x3f\xc0\0\0")), ElementsAre(1.5F));
  EXPECT_THAT(*read_numbers<float>(bytes("[$D#U\1\x3f\xf8\0\0\0\0\0\0")), ElementsAre(1.5F));
}

TEST(Ubj, ReadsArraysWhoseElementsHaveTypesOfTheirOwn) {
  EXPECT_THAT(*read_numbers<int>(bytes("[#U\3i\1U\2TN")), ElementsAre(1, 2, 1));
  EXPECT_THAT(*read_numbers<int>(bytes("[i\1NNU\2F]")), ElementsAre(1, 2, 0));
  EXPECT_THAT(*read_numbers<float>(bytes("[i\1d\x3f\xc0\0\0]")), ElementsAre(1.0F, 1.5F));
  EXPECT_THAT(*read_numbers<int>(bytes("[]")), ElementsAre());
}

TEST(Ubj, VisitsFieldsInOrderAndSkipsWhatIsNotTaken) {
  const std::string document =
      bytes("{i\1aSi\2xyi\1b{i\1c[Zi\7]}i\1d[$i#i\2\1\2i\1eHi\0031.5i\1fi\x7fi\1gCqi\1hT}");
  UbjReader reader(document);
  UbjValue root = *open_ubj(reader);
  std::map<std::string, std::string> texts;
  std::string order;
  const auto visited = root.object([&](std::string_view key, UbjValue& value) -> Result<void> {
    order += key;
    if (key == "a" || key == "e" || key == "f") texts[std::string(key)] = TRY(value.text());
    return {};
  });
  ASSERT_TRUE(visited) << visited.error().message;
  EXPECT_EQ(order, "abdefgh");
  EXPECT_EQ(texts["a"], "xy");
  EXPECT_EQ(texts["e"], "1.5");
  EXPECT_EQ(texts["f"], "127");
  EXPECT_EQ(reader.position(), document.size());
}

TEST(Ubj, RefusesNumbersThatDoNotFit) {
  EXPECT_FALSE(read_numbers<std::uint8_t>(bytes("[$i#i\1\xff")));
  EXPECT_FALSE(read_numbers<std::int8_t>(bytes("[$U#i\1\xff")));
  EXPECT_FALSE(read_numbers<int>(bytes("[$d#i\1\x3f\xc0\0\0")));
  EXPECT_FALSE(read_numbers<int>(bytes("[Si\1x]")));
}

TEST(Ubj, NeedsNoMemoryForCountsThatTheFileCannotHold) {
  for (const std::string& document :
       {bytes("[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"),
        bytes("[$L#L\x20\0\0\0\0\0\0\1aaaaaaaa"),
        bytes("[#L\x7f\xff\xff\xff\xff\xff\xff\xff"),
        bytes("[#l\x7f\xff\xff\xff"
              "i\1")}) {
    EXPECT_FALSE(read_numbers<float>(document));
    EXPECT_FALSE(skip(document));
  }
  EXPECT_THAT(
      skip(bytes("SL\x7f\xff\xff\xff\xff\xff\xff\xff")).error().message,
      HasSubstr("it is truncated")
  );
  EXPECT_THAT(skip(bytes("SI\xff\xff")).error().message, HasSubstr("negative length"));
}

TEST(Ubj, RefusesTypedArraysOfValuesWithoutBytes) {
  for (const char* type : {"Z", "T", "N", "[", "{", "S"}) {
    const std::string document = std::string("[$") + type + bytes("#l\x7f\0\0\0");
    EXPECT_FALSE(skip(document)) << type;
    EXPECT_FALSE(read_numbers<int>(document)) << type;
  }
}

TEST(Ubj, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(skip(nested(UbjReader::max_depth)));
  EXPECT_THAT(
      skip(nested(UbjReader::max_depth + 1)).error().message, HasSubstr("nested too deeply")
  );
  EXPECT_FALSE(skip(std::string(1'000'000, '[')));
}

TEST(Ubj, SaysWhereSomethingElseIsExpected) {
  EXPECT_THAT(skip("x").error().message, HasSubstr("byte 0 should begin a value"));
  EXPECT_THAT(skip("").error().message, HasSubstr("truncated"));
  EXPECT_THAT(skip("{Sx").error().message, HasSubstr("byte 1 should begin a length"));
}

}  // namespace
}  // namespace weir::model
