#include "protocol/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "protocol/utf8.h"

namespace weir::protocol {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// Enough for any number: "-2.2250738585072014e-308" and a ".0".
constexpr std::size_t longest_number = 32;

bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

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
  std::size_t begin = 0;
  std::size_t at = 0;
  while (at < string.size()) {
    const auto byte = static_cast<unsigned char>(string[at]);
    if (is_plain(byte)) {
      ++at;
      continue;
    }
    const std::size_t length = byte < 0x80 ? 0 : utf8_length(string.substr(at));
    if (length != 0) {
      at += length;
      continue;
    }
    text.append(string.substr(begin, at - begin));
    if (byte < 0x80) {
      append_escaped(byte, text);
    } else {
      text.append(replacement);
    }
    begin = ++at;
  }
  text.append(string.substr(begin));
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
      text.append(buffer.data(), place);
      place = buffer.data();
    }
    if (index != 0) *place++ = ',';
    place = write_any(numbers[index], place);
  }
  text.append(buffer.data(), place);
}

}  // namespace

void JsonWriter::key(std::string_view name) {
  separate();
  append_quoted(name, text_);
  text_.push_back(':');
  needs_comma_ = false;
}

void JsonWriter::value(std::string_view string) {
  separate();
  append_quoted(string, text_);
  needs_comma_ = true;
}

template <class T>
void JsonWriter::write_number(T number) {
  separate();
  std::array<char, longest_number + 2> buffer;
  text_.append(buffer.data(), write_any(number, buffer.data()));
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
