#include "protocol/json_number.h"

#include <charconv>
#include <system_error>

namespace weir::protocol {
namespace {

constexpr std::array<long double, 28> long_powers_of_ten = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
    1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
    1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

// 5^27 is below 2^63, so 10^27 is exact in a 64-bit significand, and so are the digits below 2^63.
// One rounded operation follows, then the rounding to double. Rounding twice differs from rounding
// once only if the first result lies exactly between two doubles; that is left to others.
bool to_double_by_long_double(const JsonNumber& number, double& value) {
  if constexpr (std::numeric_limits<long double>::digits != 64) return false;
  if (number.has_many_digits || number.digits >= (1ULL << 63) || number.exponent < -27 ||
      number.exponent > 27) {
    return false;
  }
  const auto digits = static_cast<long double>(static_cast<std::int64_t>(number.digits));
  const long double magnitude =
      number.exponent < 0 ? digits / long_powers_of_ten[static_cast<std::size_t>(-number.exponent)]
                          : digits * long_powers_of_ten[static_cast<std::size_t>(number.exponent)];
  std::uint64_t significand = 0;
  std::memcpy(&significand, &magnitude, sizeof(significand));
  if ((significand & 0x7FFU) == 0x400U) return false;
  const auto rounded = static_cast<double>(magnitude);
  value = number.is_negative ? -rounded : rounded;
  return true;
}

}  // namespace

namespace number_parts {

const char* read_exponent(const char* text, std::int64_t& exponent) {
  // Beyond this it is infinity or zero, whatever the digits of any text in memory are.
  constexpr std::int64_t largest = 1'000'000'000'000'000;
  const bool is_negative = *text == '-';
  if (is_negative || *text == '+') ++text;
  if (!is_digit(*text)) return nullptr;
  std::int64_t value = 0;
  for (; is_digit(*text); ++text) {
    if (value < largest) value = value * 10 + (*text - '0');
  }
  exponent = is_negative ? -value : value;
  return text;
}

std::ptrdiff_t significant_digits(const char* text, const char* end) {
  while (text != end && (*text == '0' || *text == '.')) ++text;
  std::ptrdiff_t count = 0;
  for (; text != end; ++text) count += *text != '.' ? 1 : 0;
  return count;
}

bool to_double_slowly(const JsonNumber& number, double& value) {
  if (to_double_by_long_double(number, value)) return true;
  const auto [end, error] = std::from_chars(number.begin, number.end, value);
  if (error == std::errc()) return true;
  // Too large or too small: the sign of the power of ten of its first digit says which.
  if (number.exponent + significant_digits(number.begin, number.end) > 0) return false;
  value = number.is_negative ? -0.0 : 0.0;
  return true;
}

}  // namespace number_parts

bool to_magnitude(const JsonNumber& number, std::uint64_t& magnitude) {
  if (!number.has_many_digits) {
    magnitude = number.digits;
    return true;
  }
  const char* digits = number.begin + (number.is_negative ? 1 : 0);
  return std::from_chars(digits, number.end, magnitude).ec == std::errc();
}

}  // namespace weir::protocol
