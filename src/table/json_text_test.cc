#include "table/json_text.h"

#include <gtest/gtest.h>

#include "table/test_worker.h"

namespace weir::table {
namespace {

class JsonText : public testing::Test {
 protected:
  // The JSON text of one expression.
  std::string json(const std::string& expression) {
    const std::string text = ask(*worker_, "SELECT " + expression + " AS a");
    const std::string_view begin = R"([{"a":)";
    if (!text.starts_with(begin) || !text.ends_with("}]")) return text;
    return text.substr(begin.size(), text.size() - begin.size() - 2);
  }
  // Expressions whose JSON text is checked at the end of the test, all in one statement.
  void expect(const std::string& expression, const std::string& text) {
    const std::string name = "c" + std::to_string(count_++);
    list_ += (list_.empty() ? "" : ", ") + expression + " AS " + name;
    expected_ += (expected_.empty() ? "{\"" : ",\"") + name + "\":" + text;
  }
  void TearDown() override {
    if (count_ == 0) return;
    EXPECT_EQ(ask(*worker_, "SELECT " + list_), "[" + expected_ + "}]");
  }
  std::string type(const std::string& expression) {
    const auto result = worker_->query({.sql = "SELECT " + expression + " AS a"});
    return result ? result->columns[0].type : result.error().message;
  }

  static void SetUpTestSuite() { worker_ = new Worker(small_worker()); }
  static void TearDownTestSuite() {
    delete worker_;
    worker_ = nullptr;
  }

  static Worker* worker_;
  int count_ = 0;
  std::string list_;
  std::string expected_;
};

Worker* JsonText::worker_ = nullptr;

TEST_F(JsonText, WritesIntegersWithAllTheirDigits) {
  expect("(-128)::TINYINT", "-128");
  expect("255::UTINYINT", "255");
  expect("(-32768)::SMALLINT", "-32768");
  expect("65535::USMALLINT", "65535");
  expect("(-2147483648)::INTEGER", "-2147483648");
  expect("4294967295::UINTEGER", "4294967295");
  expect("(-9223372036854775808)::BIGINT", "-9223372036854775808");
  expect("18446744073709551615::UBIGINT", "18446744073709551615");
}

TEST_F(JsonText, WritesAHugeintAsTextBeyondTwoToThe53) {
  expect("0::HUGEINT", "0");
  expect("9007199254740992::HUGEINT", "9007199254740992");
  expect("(-9007199254740992)::HUGEINT", "-9007199254740992");
  expect("9007199254740993::HUGEINT", "\"9007199254740993\"");
  expect(
      "(-170141183460469231731687303715884105728)::HUGEINT",
      "\"-170141183460469231731687303715884105728\""
  );
  expect(
      "340282366920938463463374607431768211455::UHUGEINT",
      "\"340282366920938463463374607431768211455\""
  );
}

TEST_F(JsonText, WritesDecimalsDigitByDigit) {
  expect("1.50::DECIMAL(4,2)", "1.50");
  expect("(-0.05)::DECIMAL(4,2)", "-0.05");
  expect("0::DECIMAL(9,3)", "0.000");
  expect("123456789012.345::DECIMAL(18,3)", "123456789012.345");
  expect(
      "(-12345678901234567890123456789.012345678)::DECIMAL(38,9)",
      "-12345678901234567890123456789.012345678"
  );
  expect("7::DECIMAL(5,0)", "7");
}

TEST_F(JsonText, WritesFloatsShortAndWithoutLoss) {
  expect("0.1::DOUBLE", "0.1");
  expect("0.1::FLOAT", "0.1");
  expect("1e300::DOUBLE", "1e+300");
  expect("(1.0/3)::DOUBLE", "0.3333333333333333");
  expect("3::DOUBLE", "3");
}

TEST_F(JsonText, WritesWhatJsonHasNoNumberForAsNull) {
  expect("'NaN'::DOUBLE", "null");
  expect("'inf'::FLOAT", "null");
  expect("'-inf'::DOUBLE", "null");
  expect("NULL", "null");
  expect("NULL::VARCHAR", "null");
}

TEST_F(JsonText, WritesTextWithEscapes) {
  expect("'täg \"x\" \\'", R"("täg \"x\" \\")");
  expect("chr(10) || chr(9) || chr(1)", R"("\n\u0009\u0001")");
  expect("''", R"("")");
  expect("'a text of more than twelve bytes'", R"("a text of more than twelve bytes")");
  expect("true", "true");
}

TEST_F(JsonText, WritesTimesInUtc) {
  expect("TIMESTAMP '2026-11-24 14:55:04.123456'", R"("2026-11-24T14:55:04.123456Z")");
  expect("TIMESTAMP '1969-12-31 23:59:59.5'", R"("1969-12-31T23:59:59.500000Z")");
  expect("TIMESTAMPTZ '2026-11-24 14:00:00+02'", R"("2026-11-24T12:00:00Z")");
  // A time without a zone is one in UTC, wherever the machine stands.
  expect("TIMESTAMPTZ '2026-07-24 14:00:00'", R"("2026-07-24T14:00:00Z")");
  expect("'2026-11-24 14:55:04'::TIMESTAMP_S", R"("2026-11-24T14:55:04Z")");
  expect("'2026-11-24 14:55:04.123'::TIMESTAMP_MS", R"("2026-11-24T14:55:04.123000Z")");
  expect("'2026-11-24 14:55:04.123456789'::TIMESTAMP_NS", R"("2026-11-24T14:55:04.123456Z")");
  expect("'1969-12-31 23:59:59.999999999'::TIMESTAMP_NS", R"("1969-12-31T23:59:59.999999Z")");
  expect("'infinity'::TIMESTAMP", R"("infinity")");
  expect("TIME '14:55:04.5'", R"("14:55:04.500000")");
  expect("'14:55:04+05:30'::TIMETZ", R"("14:55:04+05:30")");
  expect("'14:55:04-01'::TIMETZ", R"("14:55:04-01:00")");
  expect(
      "INTERVAL '14 months 3 days 2 seconds'", R"({"months":14,"days":3,"microseconds":2000000})"
  );
}

TEST_F(JsonText, WritesDatesOfAllYears) {
  expect("DATE '2026-11-24'", R"("2026-11-24")");
  expect("DATE '1970-01-01'", R"("1970-01-01")");
  expect("DATE '1900-02-28' + 1", R"("1900-03-01")");
  expect("DATE '2000-02-28' + 1", R"("2000-02-29")");
  expect("DATE '0001-12-31'", R"("0001-12-31")");
  expect("'-infinity'::DATE", R"("-infinity")");
}

TEST_F(JsonText, WritesBytesBitsAndIds) {
  expect("''::BLOB", R"("")");
  expect("'a'::BLOB", R"("YQ==")");
  expect("'ab'::BLOB", R"("YWI=")");
  expect("'abc\\xFF'::BLOB", R"("YWJj/w==")");
  expect("'0101'::BIT", R"("0101")");
  expect("'101010101'::BIT", R"("101010101")");
  expect(
      "'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::UUID", R"("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")"
  );
  expect("'b'::ENUM('a', 'b')", R"("b")");
}

TEST_F(JsonText, WritesNestedValues) {
  expect("[1, NULL, 3]", "[1,null,3]");
  expect("[]::INTEGER[]", "[]");
  expect("[1, 2]::INTEGER[2]", "[1,2]");
  expect("[[1], [2, 3]]", "[[1],[2,3]]");
  expect("{'a': 1, 'b': ['x']}", R"({"a":1,"b":["x"]})");
  expect("MAP {'k': 1, 'l': 2}", R"({"k":1,"l":2})");
  expect("MAP {1: 'x'}", R"([{"key":1,"value":"x"}])");
  expect("union_value(n := 5)", "5");
  expect(R"('{"q": [1, 2]}'::JSON)", R"({"q": [1, 2]})");
}

TEST_F(JsonText, NamesTypesAsSqlDoes) {
  EXPECT_EQ(type("1.5::DECIMAL(10,2)"), "DECIMAL(10,2)");
  EXPECT_EQ(type("['a']"), "VARCHAR[]");
  EXPECT_EQ(type("[1, 2]::INTEGER[2]"), "INTEGER[2]");
  EXPECT_EQ(type("{'a': 1}"), "STRUCT(a INTEGER)");
  EXPECT_EQ(type("MAP {1: 'x'}"), "MAP(INTEGER, VARCHAR)");
  EXPECT_EQ(type("'{}'::JSON"), "JSON");
  EXPECT_EQ(type("now()"), "TIMESTAMP WITH TIME ZONE");
}

TEST_F(JsonText, TellsHowToCastATypeWithoutJsonForm) {
  EXPECT_NE(json("123::BIGNUM").find("write \"a\"::VARCHAR instead"), std::string::npos)
      << json("123::BIGNUM");
  EXPECT_EQ(json("123::BIGNUM::VARCHAR"), R"("123")");
}

TEST_F(JsonText, NumbersColumnsOfOneName) {
  EXPECT_EQ(
      ask(*worker_, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS \"q\"\"\""),
      R"([{"a":1,"a_1":2,"a_1_1":3,"q\"":4}])"
  );
}

TEST_F(JsonText, ReadsLongResultsInOrder) {
  std::string expected = "[";
  for (int i = 0; i < 5'000; ++i) {
    if (i > 0) expected += ',';
    expected += "{\"a\":" + std::to_string(i) + ",\"b\":[\"" + std::to_string(i) + "\"]}";
  }
  EXPECT_EQ(
      ask(*worker_, "SELECT range AS a, [range::VARCHAR] AS b FROM range(5000)"), expected + "]"
  );
}

}  // namespace
}  // namespace weir::table
