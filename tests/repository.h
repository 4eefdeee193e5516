#pragma once

// The texts of the repository, read once, with their code told apart from comments and literals:
// what the rules of tidy_test.cc look at.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tidy {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

struct Source {
  std::string path;    // From the root of the repository, "src/base/hash.cc".
  std::string text;    // As it is.
  std::string code;    // The same length and lines, comments and literals blanked.
  Strings lines;       // Of the text.
  Strings code_lines;  // Of the code.
};

inline bool starts_with_any(
    std::string_view text, std::initializer_list<std::string_view> prefixes
) {
  return std::any_of(prefixes.begin(), prefixes.end(), [text](std::string_view prefix) {
    return text.starts_with(prefix);
  });
}

inline bool is_word(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

// Where `word` stands in `text` as a whole word, or npos.
inline std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0) {
  for (auto at = text.find(word, from); at != text.npos; at = text.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(word.front()) || !is_word(text[at - 1]);
    const std::size_t end = at + word.size();
    const bool ends = end >= text.size() || !is_word(word.back()) || !is_word(text[end]);
    if (starts && ends) return at;
  }
  return text.npos;
}

inline Strings split_lines(const std::string& text) {
  Strings lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Length of the comment or literal that starts at `at`, or 0.
inline std::size_t hidden_length(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  const auto until = [rest](std::string_view end, std::size_t from) {
    const auto found = rest.find(end, from);
    return found == rest.npos ? rest.size() : found + end.size();
  };
  if (rest.starts_with("//")) return until("\n", 2) - 1;
  if (rest.starts_with("/*")) return until("*/", 2);
  if (rest.starts_with("R\"") && (at == 0 || !is_word(text[at - 1]))) {
    const std::string delimiter(rest.substr(2, rest.find('(', 2) - 2));
    return until(")" + delimiter + "\"", 2);
  }
  const bool digit_separator = at > 0 && is_word(text[at - 1]);
  if (rest.front() != '"' && (rest.front() != '\'' || digit_separator)) return 0;
  std::size_t end = 1;
  while (end < rest.size() && rest[end] != rest.front()) end += rest[end] == '\\' ? 2 : 1;
  return std::min(end + 1, rest.size());
}

inline std::string without_comments_and_literals(std::string text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = hidden_length(text, at);
    for (std::size_t end = at + length; at < end; ++at) {
      if (text[at] != '\n') text[at] = ' ';
    }
    if (length == 0) ++at;
  }
  return text;
}

inline Source read_source(const fs::path& root, const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  Source source;
  source.path = fs::relative(path, root).generic_string();
  source.text.assign(std::istreambuf_iterator<char>(file), {});
  const fs::path extension = path.extension();
  if (extension == ".cc" || extension == ".h") {
    source.code = without_comments_and_literals(source.text);
    source.code_lines = split_lines(source.code);
  }
  source.lines = split_lines(source.text);
  return source;
}

inline const fs::path& root() {
  static const fs::path path(WEIR_SOURCE_DIR);
  return path;
}

// Every text of the repository, read once. Folders that git ignores and data are left out.
inline const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> found;
    const std::set<std::string> skipped{
        ".git",
        ".deps",
        ".venv",
        ".cache",
        "build",
        "corpus",
        "data",
        "node_modules",
        "weir-data",
        "demo-data",
        "__pycache__"};
    const std::set<std::string> texts{
        ".cc", ".h", ".md", ".txt", ".cmake", ".json", ".yaml", ".yml", ".py", ".sh", ".lua", ""};
    auto entry = fs::recursive_directory_iterator(root());
    for (; entry != fs::recursive_directory_iterator(); ++entry) {
      const std::string name = entry->path().filename().string();
      if (skipped.contains(name)) {
        if (entry->is_directory()) entry.disable_recursion_pending();
      } else if (entry->is_regular_file() && texts.contains(entry->path().extension().string())) {
        found.push_back(read_source(root(), entry->path()));
      }
    }
    std::sort(found.begin(), found.end(), [](const Source& left, const Source& right) {
      return left.path < right.path;
    });
    return found;
  }();
  return all;
}

}  // namespace weir::tidy
