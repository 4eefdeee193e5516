#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

// The characters of a JSON string that stand for themselves. Pure.

namespace weir::protocol {

// ASCII, no control character, no quote and no backslash.
inline bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// Whether one of the eight bytes ends the plain part of a string: a quote, a backslash, a control
// character or a byte beyond ASCII. A byte is below n, or zero, where subtracting borrows into its
// top bit.
inline bool has_special_byte(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101'0101'0101'0101U;
  constexpr std::uint64_t tops = 0x8080'8080'8080'8080U;
  const std::uint64_t quotes = word ^ (ones * '"');
  const std::uint64_t backslashes = word ^ (ones * '\\');
  return (((word - ones * 0x20) | (quotes - ones) | (backslashes - ones) | word) & tops) != 0;
}

// The first byte that is not plain, or `end`.
inline const char* skip_plain(const char* text, const char* end) {
  while (end - text >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text, sizeof(word));
    if (has_special_byte(word)) break;
    text += 8;
  }
  while (text != end) {
    if (!is_plain(static_cast<unsigned char>(*text))) break;
    ++text;
  }
  return text;
}

// Whether all of it is plain. Unlike skip_plain() it looks at a rest of less than eight characters
// together with those before it, and not one by one.
inline bool is_all_plain(std::string_view text) {
  const char* const end = text.data() + text.size();
  if (text.size() < 8) return skip_plain(text.data(), end) == end;
  const auto load = [](const char* place) {
    std::uint64_t word = 0;
    std::memcpy(&word, place, sizeof(word));
    return word;
  };
  bool is_plain_so_far = !has_special_byte(load(end - 8));
  for (const char* place = text.data(); end - place >= 8; place += 8) {
    is_plain_so_far &= !has_special_byte(load(place));
  }
  return is_plain_so_far;
}

}  // namespace weir::protocol
