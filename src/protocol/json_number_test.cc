#include "protocol/json_number.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace weir::protocol {
namespace {

// The number that is the whole text; nothing when there is none.
std::optional<JsonNumber> scan(const std::string& text) {
  JsonNumber number;
  const std::string ended = text + ",";  // The required end; the positions are not used.
  if (!scan_number(ended.data(), ended.data() + ended.size(), number)) return std::nullopt;
  if (number.end != ended.data() + text.size()) return std::nullopt;
  return number;
}

// By way of the text, which has to live while it is converted.
std::optional<double> read_double(const std::string& text) {
  const std::string ended = text + ",";
  JsonNumber number;
  double value = 0;
  if (!scan_number(ended.data(), ended.data() + ended.size(), number)) return std::nullopt;
  if (!to_double(number, value)) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> read_integer(const std::string& text) {
  const std::string ended = text + ",";
  JsonNumber number;
  T value = 0;
  if (!scan_number(ended.data(), ended.data() + ended.size(), number)) return std::nullopt;
  if (!number.is_integer || !to_integer(number, value)) return std::nullopt;
  return value;
}

void expect_same_as_strtod(const std::string& text) {
  const double expected = std::strtod(text.c_str(), nullptr);
  const auto actual = read_double(text);
  if (std::isinf(expected)) {
    EXPECT_FALSE(actual.has_value()) << text;
    return;
  }
  ASSERT_TRUE(actual.has_value()) << text;
  EXPECT_EQ(std::bit_cast<std::uint64_t>(*actual), std::bit_cast<std::uint64_t>(expected)) << text;
}

TEST(JsonNumber, FollowsTheGrammar) {
  for (const char* text :
       {"0",
        "-0",
        "1",
        "10",
        "0.5",
        "-0.5e3",
        "1e5",
        "1E+05",
        "1e-5",
        "123456789012345678901",
        "0.000000000000000000000001",
        "1.7976931348623157e308"}) {
    EXPECT_TRUE(scan(text).has_value()) << text;
  }
  for (const char* text :
       {"",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "-.5",
        "1e",
        "1e+",
        "1.e5",
        "0x10",
        "1_000",
        "1.2.3",
        "--1",
        "e5",
        "1ee5",
        "NaN",
        "Infinity"}) {
    EXPECT_FALSE(scan(text).has_value()) << text;
  }
}

TEST(JsonNumber, TellsIntegersFromOthers) {
  EXPECT_TRUE(scan("-12")->is_integer);
  EXPECT_FALSE(scan("12.0")->is_integer);
  EXPECT_FALSE(scan("12e0")->is_integer);
}

TEST(JsonNumber, RoundsEveryLengthOfDigitsLikeTheLibrary) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100'000; ++round) {
    std::string text = random() % 2 == 0 ? "-" : "";
    text += std::to_string(random() % 10);
    if (text.back() != '0') {
      for (std::uint64_t count = random() % 12; count > 0; --count) {
        text += static_cast<char>('0' + random() % 10);
      }
    }
    text += '.';
    for (std::uint64_t count = 1 + random() % 20; count > 0; --count) {
      text += static_cast<char>('0' + random() % 10);
    }
    if (random() % 2 == 0) text += "e" + std::to_string(static_cast<int>(random() % 80) - 40);
    expect_same_as_strtod(text);
  }
}

TEST(JsonNumber, ReadsBackEveryDoubleAndFloat) {
  std::mt19937_64 random(12);
  for (int round = 0; round < 100'000; ++round) {
    const auto wide = std::bit_cast<double>(random());
    const auto narrow =
        static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    for (const double value : {wide, narrow}) {
      if (!std::isfinite(value)) continue;
      std::array<char, 64> text{};
      std::snprintf(text.data(), text.size(), "%.17g", value);
      EXPECT_EQ(read_double(text.data()), value) << text.data();
    }
  }
}

TEST(JsonNumber, RoundsHalfwayCasesToEven) {
  // Exactly between two doubles, and a little to either side of that.
  for (const char* text :
       {"9007199254740993",
        "9007199254740992.9999999",
        "9007199254740993.0000001",
        "9007199254740995",
        "1152921504606847104",
        "1152921504606847105",
        "4503599627370496.5",
        "4503599627370497.5",
        "4503599627370497.4999999999999999999",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126"}) {
    expect_same_as_strtod(text);
  }
  // Midpoints that fit into 19 digits, where a second rounding would go wrong.
  std::mt19937_64 random(13);
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t even = (1ULL << 53) + 2 * (random() % (1ULL << 52));
    expect_same_as_strtod(std::to_string(even + 1));
    expect_same_as_strtod(std::to_string(2 * even + 2));
  }
}

TEST(JsonNumber, IsZeroWhenTooSmallAndRefusedWhenTooLarge) {
  EXPECT_EQ(read_double("1e-400"), 0.0);
  EXPECT_TRUE(std::signbit(*read_double("-1e-400")));
  EXPECT_EQ(read_double("0e999999999999999999999"), 0.0);
  EXPECT_EQ(read_double("1e-999999999999999999999"), 0.0);
  EXPECT_EQ(read_double("0." + std::string(400, '0') + "1"), 0.0);
  EXPECT_EQ(read_double("0." + std::string(400, '0') + "1e401"), 1.0);
  EXPECT_EQ(read_double("5e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(read_double("1e400"), std::nullopt);
  EXPECT_EQ(read_double("-1e400"), std::nullopt);
  EXPECT_EQ(read_double("1e999999999999999999999"), std::nullopt);
  EXPECT_EQ(read_double("1" + std::string(309, '0')), std::nullopt);
  EXPECT_EQ(read_double("1" + std::string(308, '0')), 1e308);
}

TEST(JsonNumber, KeepsTheSignOfZero) {
  EXPECT_TRUE(std::signbit(*read_double("-0")));
  EXPECT_TRUE(std::signbit(*read_double("-0.0")));
  EXPECT_FALSE(std::signbit(*read_double("0.0")));
}

TEST(JsonNumber, FitsIntegersExactlyUpToTheirLimits) {
  EXPECT_EQ(read_integer<std::int8_t>("-128"), -128);
  EXPECT_EQ(read_integer<std::int8_t>("127"), 127);
  EXPECT_EQ(read_integer<std::int8_t>("128"), std::nullopt);
  EXPECT_EQ(read_integer<std::int8_t>("-129"), std::nullopt);
  EXPECT_EQ(read_integer<std::uint8_t>("255"), 255);
  EXPECT_EQ(read_integer<std::uint8_t>("256"), std::nullopt);
  EXPECT_EQ(read_integer<std::uint8_t>("-1"), std::nullopt);
  EXPECT_EQ(read_integer<std::uint8_t>("-0"), 0);
  EXPECT_EQ(
      read_integer<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min()
  );
  EXPECT_EQ(
      read_integer<std::int64_t>("9223372036854775807"), std::numeric_limits<std::int64_t>::max()
  );
  EXPECT_EQ(read_integer<std::int64_t>("9223372036854775808"), std::nullopt);
  EXPECT_EQ(read_integer<std::int64_t>("-9223372036854775809"), std::nullopt);
  EXPECT_EQ(
      read_integer<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max()
  );
  EXPECT_EQ(read_integer<std::uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(read_integer<std::uint64_t>("100000000000000000000"), std::nullopt);
}

}  // namespace
}  // namespace weir::protocol
