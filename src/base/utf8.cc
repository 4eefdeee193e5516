#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace weir {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

}  // namespace

std::size_t utf8_length(std::string_view bytes) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;  // A continuation, or an overlong form of ASCII.
  if (bytes.size() < 2 || !is_continuation(byte(1))) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;   // Overlong.
    if (first == 0xED && byte(1) >= 0xA0) return 0;  // A surrogate.
    return bytes.size() >= 3 && is_continuation(byte(2)) ? 3 : 0;
  }
  if (first > 0xF4) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;   // Overlong.
  if (first == 0xF4 && byte(1) >= 0x90) return 0;  // Above U+10FFFF.
  if (bytes.size() < 4 || !is_continuation(byte(2)) || !is_continuation(byte(3))) return 0;
  return 4;
}

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof(word));
      if ((word & 0x8080'8080'8080'8080U) == 0) {
        bytes.remove_prefix(8);
        continue;
      }
    }
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

void append_utf8(char32_t code, std::string& text) {
  const auto add = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
    return;
  }
  if (code < 0x800) {
    add(0xC0U | (code >> 6));
  } else {
    if (code < 0x1'0000) {
      add(0xE0U | (code >> 12));
    } else {
      add(0xF0U | (code >> 18));
      add(0x80U | ((code >> 12) & 0x3FU));
    }
    add(0x80U | ((code >> 6) & 0x3FU));
  }
  add(0x80U | (code & 0x3FU));
}

}  // namespace weir
