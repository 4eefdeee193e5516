#include "protocol/json_writer.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/utf8.h"

namespace weir::protocol {
namespace {

template <class T>
std::string written(const T& value) {
  std::string text;
  JsonWriter(text).value(value);
  return text;
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  std::string text = "before ";
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("a", 1);
  writer.key("b");
  writer.begin_array();
  writer.begin_object();
  writer.end_object();
  writer.begin_array();
  writer.end_array();
  writer.null();
  writer.value(true);
  writer.raw("[0]");
  writer.values(std::span<const std::int64_t>());
  writer.end_array();
  writer.member("c", "text");
  writer.end_object();
  EXPECT_EQ(text, R"(before {"a":1,"b":[{},[],null,true,[0],[]],"c":"text"})");
}

TEST(JsonWriter, EscapesQuotesBackslashesAndControlCharacters) {
  EXPECT_EQ(written("say \"hi\" to C:\\"), R"("say \"hi\" to C:\\")");
  EXPECT_EQ(written("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(written(std::string("\0\x1F\x7F", 3)), "\"\\u0000\\u001f\x7F\"");
  EXPECT_EQ(written("é€😀"), "\"é€😀\"");
  std::string text;
  JsonWriter(text).key("a\"b");
  EXPECT_EQ(text, R"("a\"b":)");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(written("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(written("\xC3"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(written("12345678\xC0\x80"), "\"12345678\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonWriter, IsAlwaysReadableWhateverTheBytes) {
  std::mt19937_64 random(15);
  simdjson::dom::parser parser;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 26);
    }
    const std::string text = "[" + written(bytes) + "]";
    std::string_view read;
    ASSERT_EQ(
        parser.parse(simdjson::padded_string(text)).at(0).get_string().get(read), simdjson::SUCCESS
    ) << text;
    if (is_valid_utf8(bytes)) {
      EXPECT_EQ(read, bytes);
    }
  }
}

TEST(JsonWriter, WritesNumbersThatReadBackTheSame) {
  std::mt19937_64 random(16);
  for (int round = 0; round < 20'000; ++round) {
    const auto wide = std::bit_cast<double>(random());
    const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(wide)) {
      EXPECT_EQ(std::strtod(written(wide).c_str(), nullptr), wide);
    }
    if (std::isfinite(narrow)) {
      EXPECT_EQ(std::strtof(written(narrow).c_str(), nullptr), narrow);
    }
  }
}

TEST(JsonWriter, WritesEachPrecisionAsShortAsItCan) {
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(static_cast<double>(0.1F)), "0.10000000149011612");
  EXPECT_EQ(written(1.0F), "1.0");
  EXPECT_EQ(written(-0.0), "-0.0");
  EXPECT_EQ(written(1e30), "1e+30");
  EXPECT_EQ(written(123456.0F), "123456.0");
  EXPECT_EQ(written(std::numeric_limits<double>::lowest()), "-1.7976931348623157e+308");
  EXPECT_EQ(written(std::numeric_limits<double>::denorm_min()), "5e-324");
}

TEST(JsonWriter, WritesNullForWhatIsNotFinite) {
  EXPECT_EQ(written(std::numeric_limits<float>::quiet_NaN()), "null");
  EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(written(-std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonWriter, WritesIntegersToTheirLimits) {
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::int8_t{-128}), "-128");
  EXPECT_EQ(written(std::uint8_t{255}), "255");
}

TEST(JsonWriter, WritesLongArraysWhole) {
  // More than its buffer holds, with the longest numbers there are.
  const std::vector<double> numbers(1000, -2.2250738585072014e-308);
  std::string text;
  JsonWriter(text).values(std::span<const double>(numbers));
  std::string expected = "[";
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    expected += index == 0 ? "-2.2250738585072014e-308" : ",-2.2250738585072014e-308";
  }
  EXPECT_EQ(text, expected + "]");
}

TEST(Utf8, KnowsTheEdgesOfEachLength) {
  for (const char* text :
       {"",
        "a",
        "\x7F",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        "plain text of some length \xC3\xA9 and more of it"}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
  }
  for (const char* text :
       {"\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC2",
        "\xE0\xA0",
        "\xF0\x90\x80",
        "\xC2\x41",
        "12345678\x80"}) {
    EXPECT_FALSE(is_valid_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace weir::protocol
