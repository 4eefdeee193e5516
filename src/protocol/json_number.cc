#include "protocol/json_number.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <system_error>

namespace weir::protocol {
namespace {

bool is_digit(char character) {
  return static_cast<unsigned char>(character - '0') < 10;
}

std::uint64_t load_eight(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof(word));
  return word;
}

static_assert(std::endian::native == std::endian::little, "digits are combined as little-endian");

// Whether all eight characters are digits: both the high nibbles as they are and those after adding
// six (which lifts ':' and above) must be 3.
bool are_eight_digits(std::uint64_t word) {
  constexpr std::uint64_t high_nibbles = 0xF0F0'F0F0'F0F0'F0F0U;
  constexpr std::uint64_t threes = 0x3333'3333'3333'3333U;
  constexpr std::uint64_t sixes = 0x0606'0606'0606'0606U;
  return ((word & high_nibbles) | (((word + sixes) & high_nibbles) >> 4)) == threes;
}

// Eight digits to their value: pairs, then fours, then all eight, each step in parallel.
std::uint64_t value_of_eight(std::uint64_t word) {
  word -= 0x3030'3030'3030'3030U;
  word = word * 10 + (word >> 8);
  const std::uint64_t fours = (word & 0x00FF'00FF'00FF'00FFU) * ((100ULL << 16) + 1);
  const std::uint64_t pair = ((fours >> 16) & 0x0000'FFFF'0000'FFFFU) * ((10'000ULL << 32) + 1);
  return pair >> 32;
}

// Reads digits on top of `value`, which wraps around when there are too many of them.
const char* read_digits(const char* text, const char* limit, std::uint64_t& value) {
  while (limit - text >= 8) {
    const std::uint64_t word = load_eight(text);
    if (!are_eight_digits(word)) break;
    value = value * 100'000'000 + value_of_eight(word);
    text += 8;
  }
  while (text != limit && is_digit(*text)) {
    value = value * 10 + static_cast<std::uint64_t>(*text - '0');
    ++text;
  }
  return text;
}

// A written exponent beyond this is infinity or zero whatever the digits of any text in memory are.
constexpr std::int64_t exponent_limit = 1'000'000'000'000'000;

const char* read_exponent(const char* text, const char* limit, std::int64_t& exponent) {
  const bool is_negative = text != limit && *text == '-';
  if (is_negative || (text != limit && *text == '+')) ++text;
  if (text == limit || !is_digit(*text)) return nullptr;
  std::int64_t value = 0;
  for (; text != limit && is_digit(*text); ++text) {
    if (value < exponent_limit) value = value * 10 + (*text - '0');
  }
  exponent = is_negative ? -value : value;
  return text;
}

// How many of the digits of the number count: leading zeros do not.
std::ptrdiff_t significant_digits(const char* text, const char* end) {
  while (text != end && (*text == '0' || *text == '.')) ++text;
  std::ptrdiff_t count = 0;
  for (; text != end; ++text) count += *text != '.' ? 1 : 0;
  return count;
}

}  // namespace

bool scan_number(const char* begin, const char* limit, JsonNumber& number) {
  const char* text = begin;
  number.begin = begin;
  number.is_negative = *text == '-';
  if (number.is_negative) ++text;
  if (text == limit || !is_digit(*text)) return false;

  const char* first_digit = text;
  std::uint64_t digits = 0;
  if (*text == '0') {
    ++text;
    if (text != limit && is_digit(*text)) return false;  // No leading zeros in JSON.
  } else {
    text = read_digits(text, limit, digits);
  }
  std::ptrdiff_t count = text - first_digit;
  std::int64_t exponent = 0;
  number.is_integer = true;
  if (text != limit && *text == '.') {
    number.is_integer = false;
    const char* fraction = ++text;
    text = read_digits(text, limit, digits);
    if (text == fraction) return false;
    exponent = fraction - text;
    count += text - fraction;
  }
  const char* last = text;
  if (text != limit && (*text == 'e' || *text == 'E')) {
    number.is_integer = false;
    std::int64_t written = 0;
    text = read_exponent(text + 1, limit, written);
    if (text == nullptr) return false;
    exponent += written;
  }
  number.end = text;
  number.digits = digits;
  number.exponent = exponent;
  number.has_many_digits = count > 19 && significant_digits(first_digit, last) > 19;
  return true;
}

bool to_double_slowly(const JsonNumber& number, double& value) {
  if (number.digits == 0 && !number.has_many_digits) {
    value = number.is_negative ? -0.0 : 0.0;
    return true;
  }
  // 5^27 is below 2^63, so 10^27 is exact in a 64-bit significand, and so are up to 19 digits below
  // 2^63. One rounded operation follows, then the rounding to double: rounding twice differs from
  // rounding once only if the first result lies exactly between two doubles.
  if constexpr (std::numeric_limits<long double>::digits == 64) {
    constexpr std::array<long double, 28> powers = {
        1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
        1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
        1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (!number.has_many_digits && number.digits < (1ULL << 63) && number.exponent >= -27 &&
        number.exponent <= 27) {
      const auto digits = static_cast<long double>(static_cast<std::int64_t>(number.digits));
      const long double magnitude =
          number.exponent < 0 ? digits / powers[static_cast<std::size_t>(-number.exponent)]
                              : digits * powers[static_cast<std::size_t>(number.exponent)];
      std::uint64_t significand = 0;
      std::memcpy(&significand, &magnitude, sizeof(significand));
      if ((significand & 0x7FFU) != 0x400U) {
        const auto rounded = static_cast<double>(magnitude);
        value = number.is_negative ? -rounded : rounded;
        return true;
      }
    }
  }
  const auto [end, error] = std::from_chars(number.begin, number.end, value);
  if (error == std::errc()) return true;
  // Too large or too small: the sign of the power of ten of its first digit says which.
  const std::ptrdiff_t length = significant_digits(number.begin, number.end);
  if (number.exponent + length > 0) return false;
  value = number.is_negative ? -0.0 : 0.0;
  return true;
}

bool to_magnitude(const JsonNumber& number, std::uint64_t& magnitude) {
  if (!number.has_many_digits) {
    magnitude = number.digits;
    return true;
  }
  const char* digits = number.begin + (number.is_negative ? 1 : 0);
  return std::from_chars(digits, number.end, magnitude).ec == std::errc();
}

}  // namespace weir::protocol
