#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

// Numbers of JSON text: checked against the grammar and split into digits and a power of ten in one
// pass, then turned into the nearest double or an integer. Pure.
//
// A double comes by the shortest of three exact ways: digits and power both exact in a double, one
// rounded operation; the same in the 64-bit significand of a long double, where the processor has
// one; std::from_chars for the rest.

namespace weir::protocol {

struct JsonNumber {
  const char* begin = nullptr;
  const char* end = nullptr;  // The first character after it.
  std::uint64_t digits = 0;   // All digits as one integer, when there are at most 19.
  std::int64_t exponent = 0;  // The power of ten to multiply it with.
  bool is_negative = false;
  bool is_integer = true;        // Neither a point nor an exponent.
  bool has_many_digits = false;  // More than 19 significant ones: `digits` is not the number.
};

// Whether a number may go on with this character.
inline bool is_part_of_number(char character) {
  return (character >= '0' && character <= '9') || character == '.' || character == '-' ||
         character == '+' || character == 'e' || character == 'E';
}

// False when the text does not start with a JSON number. What follows the number is not looked at.
// Requires: begin < limit, and the last character before the limit is no part of a number, so that
// the end of the text need not be looked for at each digit.
inline bool scan_number(const char* begin, const char* limit, JsonNumber& number);

// The nearest double; false when it is beyond the largest one. Too small ones are zero.
inline bool to_double(const JsonNumber& number, double& value);

// The magnitude of an integer; false when it needs more than 64 bits. Requires: is_integer.
bool to_magnitude(const JsonNumber& number, std::uint64_t& magnitude);

// The integer itself; false when it does not fit T. Requires: is_integer.
template <std::integral T>
bool to_integer(const JsonNumber& number, T& value) {
  std::uint64_t magnitude = 0;
  if (!to_magnitude(number, magnitude)) return false;
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  // The smallest signed number is one further from zero than the largest.
  const std::uint64_t limit =
      number.is_negative ? (std::signed_integral<T> ? largest + 1 : 0) : largest;
  if (magnitude > limit) return false;
  value = static_cast<T>(number.is_negative ? 0 - magnitude : magnitude);
  return true;
}

// The rest of this file is the hot half of these functions.
namespace number_parts {

static_assert(std::endian::native == std::endian::little, "digits are combined as little-endian");

// At namespace scope, so that no call builds it on its stack.
inline constexpr std::array<double, 23> powers_of_ten = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline constexpr std::array<std::uint64_t, 9> scales = {
    1, 10, 100, 1'000, 10'000, 100'000, 1000'000, 10'000'000, 100'000'000};

inline bool is_digit(char character) {
  return static_cast<unsigned char>(character - '0') < 10;
}

// Reads digits on top of `value`, which wraps around when there are too many of them. Eight
// characters at a time, however many of them are digits, because the number of digits is what a
// processor cannot predict.
[[gnu::always_inline]] inline const char* read_digits(
    const char* text, const char* limit, std::uint64_t& value
) {
  while (limit - text >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text, sizeof(word));
    word ^= 0x3030'3030'3030'3030U;
    // The top bit of each byte that is above 9, at least up to the first such byte.
    const std::uint64_t others = ((word + 0x7676'7676'7676'7676U) | word) & 0x8080'8080'8080'8080U;
    const int count = others == 0 ? 8 : std::countr_zero(others) / 8;
    if (count == 0) return text;
    // The digits move to the end and zeros come before them; then pairs, fours and all eight are
    // combined, each step for all at once.
    word <<= 64 - 8 * count;
    word = word * 10 + (word >> 8);
    word = ((word & 0x00FF'00FF'00FF'00FFU) * ((100ULL << 16) + 1)) >> 16;
    word = ((word & 0x0000'FFFF'0000'FFFFU) * ((10'000ULL << 32) + 1)) >> 32;
    value = value * scales[static_cast<std::size_t>(count)] + word;
    text += count;
    if (count != 8) return text;
  }
  for (; is_digit(*text); ++text) value = value * 10 + static_cast<std::uint64_t>(*text - '0');
  return text;
}

// The exponent after the letter; nothing is read when it is malformed, and nullptr returned.
const char* read_exponent(const char* text, std::int64_t& exponent);

// How many of the digits count: leading zeros do not.
std::ptrdiff_t significant_digits(const char* text, const char* end);

bool to_double_slowly(const JsonNumber& number, double& value);

}  // namespace number_parts

[[gnu::always_inline]] inline bool scan_number(
    const char* begin, const char* limit, JsonNumber& number
) {
  using number_parts::is_digit;
  const char* text = begin;
  number.begin = begin;
  number.is_negative = *text == '-';
  if (number.is_negative) ++text;
  if (!is_digit(*text)) return false;

  const char* first_digit = text;
  auto digits = static_cast<std::uint64_t>(*text - '0');
  ++text;
  if (is_digit(*text)) {
    if (digits == 0) return false;  // No leading zeros in JSON.
    text = number_parts::read_digits(text, limit, digits);
  }
  std::ptrdiff_t count = text - first_digit;
  std::int64_t exponent = 0;
  number.is_integer = true;
  if (*text == '.') {
    number.is_integer = false;
    const char* fraction = ++text;
    text = number_parts::read_digits(text, limit, digits);
    exponent = fraction - text;
    if (exponent == 0) return false;
    count -= exponent;
  }
  const char* last = text;
  if (*text == 'e' || *text == 'E') [[unlikely]] {
    number.is_integer = false;
    std::int64_t written = 0;
    text = number_parts::read_exponent(text + 1, written);
    if (text == nullptr) return false;
    exponent += written;
  }
  number.end = text;
  number.digits = digits;
  number.exponent = exponent;
  number.has_many_digits = count > 19 && number_parts::significant_digits(first_digit, last) > 19;
  return true;
}

[[gnu::always_inline]] inline bool to_double(const JsonNumber& number, double& value) {
  constexpr std::uint64_t largest_exact = 1ULL << 53;
  if (number.digits > largest_exact || number.exponent < -22 || number.exponent > 22 ||
      number.has_many_digits) {
    return number_parts::to_double_slowly(number, value);
  }
  const auto digits = static_cast<double>(static_cast<std::int64_t>(number.digits));
  const double magnitude =
      number.exponent < 0
          ? digits / number_parts::powers_of_ten[static_cast<std::size_t>(-number.exponent)]
          : digits * number_parts::powers_of_ten[static_cast<std::size_t>(number.exponent)];
  value = number.is_negative ? -magnitude : magnitude;
  return true;
}

}  // namespace weir::protocol
