#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// Writes JSON text at the end of a string, front to back. It puts the commas; the caller opens and
// closes in the right order and writes one value after each key. Holds no memory of its own. One
// thread at a time.
//
//   JsonWriter writer(body);
//   writer.begin_object();
//   writer.member("name", "fraud");
//   writer.key("shape");
//   writer.begin_array();
//   writer.value(8);
//   writer.end_array();
//   writer.end_object();

namespace weir::protocol {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& text) : text_(text) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void key(std::string_view name);

  // Quotes, backslashes and control characters are escaped; what is not UTF-8 becomes U+FFFD, so
  // that the text is always valid JSON.
  void value(std::string_view string);
  void value(const char* string) { value(std::string_view(string)); }
  void value(const std::string& string) { value(std::string_view(string)); }
  // The shortest text that reads back as the same number, float and double each by its own
  // precision; always with a point or an exponent, so that typed readers see a floating-point
  // number. NaN and infinities have no JSON form and become null.
  template <std::floating_point T>
  void value(T number) {
    write_number(number);
  }
  template <class T>
  requires std::same_as<T, bool>
  void value(T flag) { literal(flag ? "true" : "false"); }
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>) void value(T number
  ) {
    if constexpr (std::signed_integral<T>) {
      write_number(static_cast<std::int64_t>(number));
    } else {
      write_number(static_cast<std::uint64_t>(number));
    }
  }
  void null() { literal("null"); }
  // Text that is JSON already.
  void raw(std::string_view json) { literal(json); }

  // An array of numbers.
  template <class T>
  void values(std::span<const T> numbers) {
    write_numbers(numbers);
  }

  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

 private:
  void separate() {
    if (needs_comma_) text_.push_back(',');
  }
  void open(char bracket) {
    const char text[2] = {',', bracket};
    text_.append(needs_comma_ ? text : text + 1, needs_comma_ ? 2 : 1);
    needs_comma_ = false;
  }
  void close(char bracket) {
    text_.push_back(bracket);
    needs_comma_ = true;
  }
  void literal(std::string_view json) {
    separate();
    text_.append(json);
    needs_comma_ = true;
  }
  void write_string(std::string_view string, std::string_view suffix);
  // For float, double and the integers of 64 bits.
  template <class T>
  void write_number(T number);
  // For float, double and the integers of 8 to 64 bits.
  template <class T>
  void write_numbers(std::span<const T> numbers);

  std::string& text_;
  bool needs_comma_ = false;
};

}  // namespace weir::protocol
