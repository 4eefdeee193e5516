#include "protocol/json_reader.h"

#include <limits>

#include <fmt/core.h>

#include "protocol/json_text.h"
#include "base/utf8.h"

namespace weir::protocol {
namespace {

constexpr const char* too_deep = "too many levels of nesting";

}  // namespace

std::string_view to_string(JsonKind kind) {
  switch (kind) {
    case JsonKind::object:
      return "an object";
    case JsonKind::array:
      return "an array";
    case JsonKind::string:
      return "a string";
    case JsonKind::number:
      return "a number";
    case JsonKind::boolean:
      return "a boolean";
    case JsonKind::null:
      return "null";
    case JsonKind::not_finite:
      return "a number that is not finite";
    case JsonKind::nothing:
      break;
  }
  return "no value";
}

JsonKind JsonReader::kind() {
  skip_space();
  if (at_ == end_) return JsonKind::nothing;
  switch (*at_) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    case 'N':
    case 'I':
      return JsonKind::not_finite;
    case '-':
      return bytes_left() > 1 && at_[1] == 'I' ? JsonKind::not_finite : JsonKind::number;
    default:
      return *at_ >= '0' && *at_ <= '9' ? JsonKind::number : JsonKind::nothing;
  }
}

bool JsonReader::begin() {
  if (has_failed()) return false;
  if (depth_ == max_depth_) return fail(too_deep);
  ++depth_;
  ++at_;
  is_fresh_ = true;
  return true;
}

bool JsonReader::next_member(std::string_view& name) {
  skip_space();
  if (at_ == end_) return fail("the text ends inside an object");
  if (*at_ == '}') {
    ++at_;
    --depth_;
    is_fresh_ = false;
    return false;
  }
  if (!is_fresh_) {
    if (*at_ != ',') return fail("a comma or '}' is missing");
    ++at_;
    skip_space();
  }
  is_fresh_ = false;
  if (at_ == end_ || *at_ != '"') return fail("the name of a member is missing");
  if (!string(name)) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("a colon is missing");
  ++at_;
  skip_space();
  return true;
}

bool JsonReader::first_or_no_element() {
  if (at_ == end_) return fail("the text ends inside an array");
  if (*at_ == ']') {
    ++at_;
    --depth_;
    is_fresh_ = false;
    return false;
  }
  if (!is_fresh_) return fail("a comma or ']' is missing");
  is_fresh_ = false;
  return true;
}

bool JsonReader::string(std::string_view& value) {
  if (has_failed()) return false;
  const char* content = at_ + 1;
  const char* place = skip_plain(content, end_);
  while (place != end_) {
    const auto byte = static_cast<unsigned char>(*place);
    if (byte == '"') {
      value = {content, static_cast<std::size_t>(place - content)};
      at_ = place + 1;
      return true;
    }
    if (byte == '\\') return string_with_escapes(content, value);
    if (byte < 0x20) break;
    const std::size_t length = utf8_length({place, static_cast<std::size_t>(end_ - place)});
    if (length == 0) {
      at_ = place;
      return fail("a string is not UTF-8");
    }
    place = skip_plain(place + length, end_);
  }
  at_ = place;
  return fail(
      place == end_ ? "the text ends inside a string" : "a control character stands in a string"
  );
}

bool JsonReader::string_with_escapes(const char* content, std::string_view& value) {
  scratch_->clear();
  const char* place = content;
  while (true) {
    const char* plain_end = skip_plain(place, end_);
    scratch_->append(place, plain_end);
    place = plain_end;
    at_ = place;
    if (place == end_) return fail("the text ends inside a string");
    const auto byte = static_cast<unsigned char>(*place);
    if (byte == '"') break;
    if (byte == '\\') {
      ++place;
      if (!escape(place)) return false;
      continue;
    }
    if (byte < 0x20) return fail("a control character stands in a string");
    const std::size_t length = utf8_length({place, static_cast<std::size_t>(end_ - place)});
    if (length == 0) return fail("a string is not UTF-8");
    scratch_->append(place, length);
    place += length;
  }
  at_ = place + 1;
  value = *scratch_;
  return true;
}

// Decodes what follows a backslash into the scratch string.
bool JsonReader::escape(const char*& place) {
  if (place == end_) return fail("the text ends inside a string");
  const char letter = *place++;
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      scratch_->push_back(letter);
      return true;
    case 'b':
      scratch_->push_back('\b');
      return true;
    case 'f':
      scratch_->push_back('\f');
      return true;
    case 'n':
      scratch_->push_back('\n');
      return true;
    case 'r':
      scratch_->push_back('\r');
      return true;
    case 't':
      scratch_->push_back('\t');
      return true;
    case 'u':
      break;
    default:
      return fail("an unknown escape stands in a string");
  }
  std::uint32_t code = 0;
  if (!four_hex_digits(place, code)) return false;
  if (code >= 0xDC00 && code < 0xE000) return fail("half of a surrogate pair stands in a string");
  if (code >= 0xD800 && code < 0xDC00) {
    std::uint32_t low = 0;
    if (end_ - place < 2 || place[0] != '\\' || place[1] != 'u') {
      return fail("half of a surrogate pair stands in a string");
    }
    place += 2;
    if (!four_hex_digits(place, low)) return false;
    if (low < 0xDC00 || low >= 0xE000) return fail("half of a surrogate pair stands in a string");
    code = 0x1'0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(code, *scratch_);
  return true;
}

bool JsonReader::four_hex_digits(const char*& place, std::uint32_t& code) {
  if (end_ - place < 4) return fail("the text ends inside a string");
  code = 0;
  for (const char* digits_end = place + 4; place != digits_end; ++place) {
    const char digit = *place;
    std::uint32_t value = 0;
    if (digit >= '0' && digit <= '9') {
      value = static_cast<std::uint32_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value = static_cast<std::uint32_t>(digit - 'a' + 10);
    } else if (digit >= 'A' && digit <= 'F') {
      value = static_cast<std::uint32_t>(digit - 'A' + 10);
    } else {
      return fail("an escape \\u wants four hexadecimal digits");
    }
    code = code << 4 | value;
  }
  return true;
}

bool JsonReader::word(std::string_view expected) {
  if (has_failed()) return false;
  if (bytes_left() < expected.size() || std::string_view(at_, expected.size()) != expected ||
      !ends_token(at_ + expected.size())) {
    return fail("an unknown word");
  }
  at_ += expected.size();
  return true;
}

bool JsonReader::boolean(bool& value) {
  if (at_ == end_) return fail("a value is missing");
  value = *at_ == 't';
  return word(value ? "true" : "false");
}

bool JsonReader::null() {
  return word("null");
}

bool JsonReader::not_finite(double& value) {
  if (at_ == end_) return fail("a value is missing");
  const char first = *at_;
  value = std::numeric_limits<double>::infinity();
  if (first == '-') {
    value = -value;
    return word("-Infinity");
  }
  if (first == 'I') return word("Infinity");
  value = std::numeric_limits<double>::quiet_NaN();
  return word("NaN");
}

bool JsonReader::skip_value() {
  std::string_view text;
  switch (kind()) {
    case JsonKind::object:
      begin();
      while (next_member(text)) {
        if (!skip_value()) break;
      }
      return !has_failed();
    case JsonKind::array:
      begin();
      while (next_element()) {
        if (!skip_value()) break;
      }
      return !has_failed();
    case JsonKind::string:
      return string(text);
    case JsonKind::number: {
      JsonNumber value;
      return number(value);
    }
    case JsonKind::boolean: {
      bool value = false;
      return boolean(value);
    }
    case JsonKind::null:
      return null();
    case JsonKind::not_finite: {
      double value = 0;
      return not_finite(value);
    }
    case JsonKind::nothing:
      break;
  }
  return fail("a value is missing");
}

bool JsonReader::finish() {
  skip_space();
  if (has_failed()) return false;
  return at_ == end_ || fail("there is more text after the end");
}

bool JsonReader::fail(const char* problem) {
  if (problem_ == nullptr) {
    problem_ = problem;
    problem_at_ = position();
  }
  at_ = end_;  // So that nothing more is found.
  return false;
}

std::string JsonReader::problem() const {
  if (problem_ == nullptr) return {};
  if (problem_ == too_deep) {
    return fmt::format("more than {} levels of nesting at byte {}", max_depth_, problem_at_);
  }
  return fmt::format("{} at byte {}", problem_, problem_at_);
}

std::string JsonReader::excerpt() const {
  constexpr std::size_t longest = 32;
  std::size_t length = 0;
  while (length < bytes_left() && length < longest && !ends_token(at_ + length)) ++length;
  const bool is_cut = length == longest && bytes_left() > longest && !ends_token(at_ + length);
  return std::string(at_, length) + (is_cut ? "…" : "");
}

}  // namespace weir::protocol
