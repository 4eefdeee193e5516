#include "protocol/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "protocol/json_text.h"
#include "base/utf8.h"

namespace weir::protocol {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// Enough for any number: "-2.2250738585072014e-308" and a ".0".
constexpr std::size_t longest_number = 32;

void append_escaped(unsigned char byte, std::string& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  text.push_back('\\');
  switch (byte) {
    case '"':
    case '\\':
      text.push_back(static_cast<char>(byte));
      break;
    case '\b':
      text.push_back('b');
      break;
    case '\f':
      text.push_back('f');
      break;
    case '\n':
      text.push_back('n');
      break;
    case '\r':
      text.push_back('r');
      break;
    case '\t':
      text.push_back('t');
      break;
    default:
      text.append("u00");
      text.push_back(digits[byte >> 4]);
      text.push_back(digits[byte & 15U]);
  }
}

void append_quoted(std::string_view string, std::string& text) {
  text.push_back('"');
  const char* begin = string.data();
  const char* const end = begin + string.size();
  const char* at = begin;
  while ((at = skip_plain(at, end)) != end) {
    const auto byte = static_cast<unsigned char>(*at);
    const std::size_t length =
        byte < 0x80 ? 0 : utf8_length({at, static_cast<std::size_t>(end - at)});
    if (length != 0) {
      at += length;
      continue;
    }
    text.append(begin, static_cast<std::size_t>(at - begin));
    if (byte < 0x80) {
      append_escaped(byte, text);
    } else {
      text.append(replacement);
    }
    begin = ++at;
  }
  text.append(begin, static_cast<std::size_t>(end - begin));
  text.push_back('"');
}

// Writes it at `place`, which has room for it, and returns the end.
template <class T>
char* write_floating(T number, char* place) {
  if (!std::isfinite(number)) {
    std::memcpy(place, "null", 4);
    return place + 4;
  }
  char* const end = std::to_chars(place, place + longest_number, number).ptr;
  for (const char* at = place; at != end; ++at) {
    if (*at == '.' || *at == 'e') return end;
  }
  std::memcpy(end, ".0", 2);
  return end + 2;
}

template <class T>
char* write_any(T number, char* place) {
  if constexpr (std::floating_point<T>) {
    return write_floating(number, place);
  } else {
    return std::to_chars(place, place + longest_number, number).ptr;
  }
}

// Number by number into a buffer on the stack, which goes to the text whenever it is nearly full.
template <class T>
void append_numbers(std::span<const T> numbers, std::string& text) {
  std::array<char, 1024> buffer;
  char* place = buffer.data();
  char* const nearly_full = buffer.data() + buffer.size() - longest_number - 1;
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    if (place > nearly_full) {
      text.append(buffer.data(), static_cast<std::size_t>(place - buffer.data()));
      place = buffer.data();
    }
    if (index != 0) *place++ = ',';
    place = write_any(numbers[index], place);
  }
  text.append(buffer.data(), static_cast<std::size_t>(place - buffer.data()));
}

}  // namespace

void JsonWriter::key(std::string_view name) {
  write_string(name, ":");
  needs_comma_ = false;
}

void JsonWriter::value(std::string_view string) {
  write_string(string, "");
  needs_comma_ = true;
}

// Plain strings, which nearly all are, are written where they belong in one go: a piece at a time
// would cost more than all the rest of a small answer.
void JsonWriter::write_string(std::string_view string, std::string_view suffix) {
  if (!is_all_plain(string)) {
    separate();
    append_quoted(string, text_);
    text_.append(suffix);
    return;
  }
  const std::size_t size = text_.size();
  text_.resize(size + (needs_comma_ ? 1 : 0) + string.size() + 2 + suffix.size());
  char* place = text_.data() + size;
  if (needs_comma_) *place++ = ',';
  *place++ = '"';
  place = std::copy_n(string.data(), string.size(), place);
  *place++ = '"';
  std::copy_n(suffix.data(), suffix.size(), place);
}

template <class T>
void JsonWriter::write_number(T number) {
  std::array<char, longest_number + 2> buffer;
  char* place = buffer.data();
  if (needs_comma_) *place++ = ',';
  place = write_any(number, place);
  text_.append(buffer.data(), static_cast<std::size_t>(place - buffer.data()));
  needs_comma_ = true;
}

template <class T>
void JsonWriter::write_numbers(std::span<const T> numbers) {
  open('[');
  append_numbers(numbers, text_);
  close(']');
}

template void JsonWriter::write_number(float);
template void JsonWriter::write_number(double);
template void JsonWriter::write_number(std::int64_t);
template void JsonWriter::write_number(std::uint64_t);

template void JsonWriter::write_numbers(std::span<const float>);
template void JsonWriter::write_numbers(std::span<const double>);
template void JsonWriter::write_numbers(std::span<const std::int8_t>);
template void JsonWriter::write_numbers(std::span<const std::int16_t>);
template void JsonWriter::write_numbers(std::span<const std::int32_t>);
template void JsonWriter::write_numbers(std::span<const std::int64_t>);
template void JsonWriter::write_numbers(std::span<const std::uint8_t>);
template void JsonWriter::write_numbers(std::span<const std::uint16_t>);
template void JsonWriter::write_numbers(std::span<const std::uint32_t>);
template void JsonWriter::write_numbers(std::span<const std::uint64_t>);

}  // namespace weir::protocol
