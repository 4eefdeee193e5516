#include "protocol/json_reader.h"

#include <cmath>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace weir::protocol {
namespace {

// The reader's verdict on a whole text.
struct Verdict {
  bool is_valid = false;
  std::string problem;
};
Verdict judge(const std::string& text, std::size_t max_depth = 1000) {
  // Exactly as long as the text, so that AddressSanitizer sees a step beyond its end.
  const std::vector<char> bytes(text.begin(), text.end());
  std::string scratch;
  JsonReader reader({bytes.data(), bytes.size()}, scratch, max_depth);
  const bool is_valid = reader.skip_value() && reader.finish();
  return {is_valid, reader.problem()};
}

std::string read_string(const std::string& quoted) {
  const std::string text = "[" + quoted + "]";
  std::string scratch;
  JsonReader reader(text, scratch, 10);
  reader.begin();
  std::string_view value;
  if (!reader.next_element() || !reader.string(value)) return "failed: " + reader.problem();
  return std::string(value);
}

TEST(JsonReader, TakesWhatIsJson) {
  for (const char* text :
       {"[]",
        "{}",
        " [ ] ",
        "[1,2]",
        "[ 1 , 2 ]",
        "\t{\r\n\"a\" : [ { } ] , \"b\" : null }\n",
        R"(["", "a", "\"\\\/\b\f\n\r\t", "\u0041\ud83d\ude00"])",
        "[true,false,null,-1.5e3]",
        "[[[[]]]]",
        "{\"a\":{\"a\":{}}}",
        "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]"}) {
    EXPECT_TRUE(judge(text).is_valid) << text << ": " << judge(text).problem;
  }
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",
        " ",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[1, ]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[tru]",
        "[truex]",
        "[True]",
        "[nul]",
        "[nulll]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[0x1]",
        "['a']",
        "[\"a]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12G4\"]",
        "[\"\\ud800\"]",
        "[\"\\ud800\\u0041\"]",
        "[\"\\udc00\"]",
        "[\"a\nb\"]",
        "[\"\x01\"]",
        "[\"\xFF\"]",
        "[\"\xC0\x80\"]",
        "[\"\xED\xA0\x80\"]",
        "[\"\xF5\x80\x80\x80\"]",
        "[\"\xC3\"]",
        "[\"\xE2\x82\"]",
        "[] []",
        "[]x",
        "[1]]",
        "{}}",
        "/**/[]",
        "[1\v]",
        "\xEF\xBB\xBF[]",
        "[Nan]",
        "[-inf]",
        "[\"\\",
        "[\"\\u",
        "[\"\\ud800\\",
        "[-",
        "[1e-",
        "[1.0"}) {
    EXPECT_FALSE(judge(text).is_valid) << text;
    EXPECT_NE(judge(text).problem, "") << text;
  }
}

TEST(JsonReader, TakesTheNumbersThatPythonWrites) {
  EXPECT_TRUE(judge("[NaN,Infinity,-Infinity]").is_valid);
  const std::string text = "[NaN,Infinity,-Infinity]";
  std::string scratch;
  JsonReader reader(text, scratch, 10);
  reader.begin();
  double value = 0;
  ASSERT_TRUE(reader.next_element() && reader.kind() == JsonKind::not_finite);
  EXPECT_TRUE(reader.not_finite(value) && std::isnan(value));
  ASSERT_TRUE(reader.next_element() && reader.kind() == JsonKind::not_finite);
  EXPECT_TRUE(reader.not_finite(value) && std::isinf(value) && value > 0);
  ASSERT_TRUE(reader.next_element() && reader.kind() == JsonKind::not_finite);
  EXPECT_TRUE(reader.not_finite(value) && std::isinf(value) && value < 0);
  EXPECT_FALSE(reader.next_element());
  EXPECT_TRUE(reader.finish());
}

TEST(JsonReader, DecodesEscapes) {
  EXPECT_EQ(read_string(R"("plain text longer than eight")"), "plain text longer than eight");
  EXPECT_EQ(read_string(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(read_string(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "Aé€😀");
  EXPECT_EQ(read_string(R"("before\u0000after")"), std::string("before\0after", 12));
  EXPECT_EQ(read_string("\"é€😀 and \\n more\""), "é€😀 and \n more");
}

TEST(JsonReader, StopsAtTheLimitOfDepth) {
  EXPECT_TRUE(judge("[[[1]]]", 3).is_valid);
  EXPECT_FALSE(judge("[[[[1]]]]", 3).is_valid);
  EXPECT_EQ(judge("[[[[1]]]]", 3).problem, "more than 3 levels of nesting at byte 3");
  EXPECT_FALSE(judge("{\"a\":{\"a\":{\"a\":{}}}}", 3).is_valid);
  EXPECT_FALSE(judge(std::string(100'000, '['), 100).is_valid);
}

TEST(JsonReader, SaysWhereTheProblemIs) {
  EXPECT_EQ(judge("[1 2]").problem, "a comma or ']' is missing at byte 3");
  EXPECT_EQ(judge("{\"a\":1,,}").problem, "the name of a member is missing at byte 7");
  EXPECT_EQ(judge("[[1,2").problem, "the text ends inside a value at byte 5");
  EXPECT_EQ(judge("[1,2,").problem, "a value is missing at byte 5");
}

TEST(JsonReader, FailsForGoodAfterAnError) {
  const std::string text = R"([1 2, "a", {"b": 3}])";
  std::string scratch;
  JsonReader reader(text, scratch, 10);
  reader.begin();
  JsonNumber number;
  ASSERT_TRUE(reader.next_element() && reader.number(number));
  EXPECT_FALSE(reader.next_element());
  const std::string problem = reader.problem();
  std::string_view name;
  EXPECT_FALSE(reader.next_element());
  EXPECT_FALSE(reader.next_member(name));
  EXPECT_EQ(reader.kind(), JsonKind::nothing);
  EXPECT_FALSE(reader.skip_value());
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.problem(), problem);
}

TEST(JsonReader, ReadsTheSameTextAgainFromACopy) {
  const std::string text = R"([[1,2],"end"])";
  std::string scratch;
  JsonReader reader(text, scratch, 10);
  reader.begin();
  ASSERT_TRUE(reader.next_element());
  JsonReader bookmark = reader;
  ASSERT_TRUE(reader.skip_value() && reader.next_element() && reader.skip_value());
  EXPECT_FALSE(reader.next_element());
  EXPECT_TRUE(reader.finish());
  ASSERT_EQ(bookmark.kind(), JsonKind::array);
  bookmark.begin();
  std::uint64_t sum = 0;
  JsonNumber number;
  while (bookmark.next_element() && bookmark.number(number)) sum += number.digits;
  EXPECT_EQ(sum, 3);
}

// A document in random form, valid before it is damaged.
std::string random_value(std::mt19937_64& random, int depth) {
  static constexpr const char* scalars[] = {
      "0",
      "-1",
      "1.5",
      "1e5",
      "123456789.125",
      "true",
      "false",
      "null",
      "\"\"",
      "\"text\"",
      "\"a longer text, é\"",
      "\"\\u00e9\\n\"",
      "\"\\ud83d\\ude00\""};
  const auto space = [&] { return std::string(random() % 4 == 0 ? " " : ""); };
  if (depth == 0 || random() % 3 == 0) return scalars[random() % std::size(scalars)];
  const bool is_object = random() % 2 == 0;
  std::string text(1, is_object ? '{' : '[');
  for (std::uint64_t count = random() % 4, index = 0; index < count; ++index) {
    if (index > 0) text += "," + space();
    if (is_object) text += "\"k" + std::to_string(index) + "\"" + space() + ":";
    text += space() + random_value(random, depth - 1) + space();
  }
  return text + (is_object ? '}' : ']');
}

// Another parser judges the same texts, whole and damaged.
TEST(JsonReader, AgreesWithSimdjsonOnValidAndDamagedText) {
  std::mt19937_64 random(14);
  simdjson::dom::parser parser;
  constexpr std::string_view replacements = "[]{},:\"\\0123456789.eE+-tfn aul\n\x7F\x80\xC3";
  int valid = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text = "[" + random_value(random, 4) + "]";
    for (std::uint64_t damage = random() % 3; damage > 0; --damage) {
      const std::size_t at = random() % text.size();
      const char character = replacements[random() % replacements.size()];
      if (random() % 3 == 0) {
        text.insert(at, 1, character);
      } else {
        text[at] = character;
      }
    }
    const auto first = text.find_first_not_of(" \n");
    if (first == std::string::npos || (text[first] != '[' && text[first] != '{')) continue;
    const simdjson::error_code error = parser.parse(simdjson::padded_string(text)).error();
    // It also refuses numbers that are well-formed and large; numbers have tests of their own.
    if (error == simdjson::NUMBER_ERROR) continue;
    const bool expected = error == simdjson::SUCCESS;
    EXPECT_EQ(judge(text).is_valid, expected) << text << ": " << judge(text).problem;
    valid += expected ? 1 : 0;
  }
  EXPECT_GT(valid, 5'000);
  EXPECT_LT(valid, 25'000);
}

}  // namespace
}  // namespace weir::protocol
