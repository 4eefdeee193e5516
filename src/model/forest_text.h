#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/result.h"

// Text of lines, of "key=value" and of words, without copies of it.

namespace weir::model {

// Splits text into lines. A line is without its end.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    at_ = end + 1;
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

struct Entry {
  std::string_view key;
  std::string_view value;
};

inline Entry split_entry(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {line, {}};
  return {line.substr(0, equals), line.substr(equals + 1)};
}

template <class T>
Result<T> parse(std::string_view text, std::string_view what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(
        Code::invalid_argument, "{} has '{}', which is not a number", what, text.substr(0, 40)
    );
  }
  return value;
}

// The words of a line, which spaces separate.
template <class Word>
Result<void> for_each_word(std::string_view text, const Word& word) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return {};
    const std::size_t end = std::min(text.find(' '), text.size());
    TRY(word(text.substr(0, end)));
    text.remove_prefix(end);
  }
}

template <class T>
Result<void> parse_list(const Entry& entry, std::vector<T>& numbers) {
  numbers.clear();
  return for_each_word(entry.value, [&](std::string_view word) -> Result<void> {
    numbers.push_back(TRY(parse<T>(word, entry.key)));
    return {};
  });
}

}  // namespace weir::model
