#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/json_number.h"

// Reads JSON text from front to back, one value at a time, and checks all of it, also what the
// caller skips. The caller asks for what it wants in the order in which it comes:
//
//   JsonReader reader(text, scratch, 100);
//   std::string_view name;
//   if (reader.kind() == JsonKind::object) {
//     reader.begin();
//     while (reader.next_member(name)) reader.skip_value();
//   }
//   reader.finish();
//   if (reader.has_failed()) …
//
// After the first error every call fails and the first error is kept. It borrows the text and the
// scratch string; a copy is a bookmark from which the same text can be read again. One thread at a
// time.

namespace weir::protocol {

enum class JsonKind : std::uint8_t {
  object,
  array,
  string,
  number,
  boolean,
  null,
  not_finite,  // NaN, Infinity and -Infinity: not JSON, yet what Python writes.
  nothing,     // No value starts here, or an error has happened.
};
// "an object", "a number" …
std::string_view to_string(JsonKind kind);

class JsonReader {
 public:
  // The text is an object or an array; anything else may be refused.
  // Requires: `scratch` is used by nobody else; strings with escapes are decoded into it.
  JsonReader(std::string_view text, std::string& scratch, std::size_t max_depth)
      : start_(text.data()),
        at_(text.data()),
        end_(text.data() + text.size()),
        scratch_(&scratch),
        max_depth_(max_depth) {
    // After this no number reaches the end of the text; see scan_number().
    if (!text.empty() && is_part_of_number(text.back())) {
      at_ = end_;
      fail("the text ends inside a value");
    }
  }

  // What comes next, without taking it.
  JsonKind kind();

  // Enters the object or array that comes next. Requires: kind() says that there is one.
  bool begin();
  // Moves to the next member and takes its name; false after the last one, which leaves the object,
  // and on errors. The name is valid until the next string is read.
  bool next_member(std::string_view& name);
  // Moves to the next element; false after the last one, which leaves the array, and on errors.
  bool next_element() {
    skip_space();
    if (is_fresh_ || at_ == end_ || *at_ != ',') return first_or_no_element();
    ++at_;
    skip_space();
    return (at_ != end_ && *at_ != ']') || fail("a value is missing");
  }

  // Take the value that comes next. Requires: kind() says so; true or false for the kind boolean.
  bool string(std::string_view& value);
  bool number(JsonNumber& value) { return try_number(value) || fail("a malformed number"); }
  bool boolean(bool& value);
  bool null();
  bool not_finite(double& value);
  bool skip_value();

  // Takes a number when one comes next; otherwise nothing happens and it is no error.
  bool try_number(JsonNumber& value) {
    if (at_ == end_ || !scan_number(at_, end_, value) || !ends_token(value.end)) return false;
    at_ = value.end;
    return true;
  }

  // The fast way through an array of numbers, at one of its elements: takes numbers and the commas
  // after them for as long as there are any and take(number) is true. Afterwards it is at the first
  // element that it has not taken, or right after the last one of the array, and then true is
  // returned.
  template <class Take>
  bool take_numbers(Take take) {
    const char* at = at_;
    const char* const end = end_;
    JsonNumber number;
    while (at != end && scan_number(at, end, number)) {
      const char* after = number.end;
      while (after != end && is_space(*after)) ++after;
      if (after == end || (*after != ',' && *after != ']') || !take(number)) break;
      at = after;
      if (*at == ']') {
        at_ = at;
        return true;
      }
      ++at;
      while (at != end && is_space(*at)) ++at;
    }
    at_ = at;
    return false;
  }

  // Nothing but space may follow.
  bool finish();

  bool has_failed() const { return problem_ != nullptr; }
  // "a comma is missing at byte 57"
  std::string problem() const;
  // Notes an error at the current place, unless there is one already; always false.
  bool fail(const char* problem);

  std::size_t position() const { return static_cast<std::size_t>(at_ - start_); }
  std::size_t bytes_left() const { return static_cast<std::size_t>(end_ - at_); }
  // The next characters up to the end of the token, at most 32, for messages.
  std::string excerpt() const;

 private:
  static bool is_space(char character) {
    return character == ' ' || character == '\n' || character == '\t' || character == '\r';
  }
  void skip_space() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }
  // Whether a number or a word may end there.
  bool ends_token(const char* place) const {
    return place == end_ || *place == ',' || *place == ']' || *place == '}' || is_space(*place);
  }
  bool first_or_no_element();
  bool word(std::string_view expected);
  bool string_with_escapes(const char* content, std::string_view& value);
  bool escape(const char*& place);
  bool four_hex_digits(const char*& place, std::uint32_t& code);

  const char* start_;
  const char* at_;
  const char* end_;
  std::string* scratch_;
  std::size_t max_depth_;
  std::size_t depth_ = 0;
  bool is_fresh_ = false;  // The container has just been entered: no comma is due.
  const char* problem_ = nullptr;
  std::size_t problem_at_ = 0;
};

}  // namespace weir::protocol
