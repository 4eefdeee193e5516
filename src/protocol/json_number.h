#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
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

// False when the text between begin and limit does not start with a JSON number. What follows the
// number is not looked at. Requires: begin < limit.
bool scan_number(const char* begin, const char* limit, JsonNumber& number);

// The nearest double; false when it is beyond the largest one. Too small ones are zero.
bool to_double_slowly(const JsonNumber& number, double& value);

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

inline bool to_double(const JsonNumber& number, double& value) {
  constexpr std::array<double, 23> powers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                             1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                             1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr std::uint64_t largest_exact = 1ULL << 53;
  if (number.digits > largest_exact || number.exponent < -22 || number.exponent > 22 ||
      number.has_many_digits) {
    return to_double_slowly(number, value);
  }
  const auto digits = static_cast<double>(number.digits);
  const double magnitude = number.exponent < 0
                               ? digits / powers[static_cast<std::size_t>(-number.exponent)]
                               : digits * powers[static_cast<std::size_t>(number.exponent)];
  value = number.is_negative ? -magnitude : magnitude;
  return true;
}

}  // namespace weir::protocol
