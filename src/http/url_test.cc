#include "http/url.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(PercentDecode, DecodesEscapesOnly) {
  EXPECT_EQ(percent_decode("a%2Fb%20c%c3%A9").value(), "a/b c\xC3\xA9");
  EXPECT_EQ(percent_decode("a+b").value(), "a+b");
  EXPECT_EQ(percent_decode("%2525").value(), "%25");
  EXPECT_EQ(percent_decode("").value(), "");
}

TEST(PercentDecode, RefusesBrokenEscapesAndZeroBytes) {
  for (const char* text : {"%", "a%4", "%4g", "%g4", "%%41", "%-1", "a%00"}) {
    const Result<std::string> decoded = percent_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Code::invalid_argument);
  }
}

TEST(QueryValue, FindsTheFirstOfAName) {
  const std::string_view query = "a=1&b=x%26y&a=2&c&d=&e+f=g+h";
  EXPECT_EQ(query_value(query, "a").value(), "1");
  EXPECT_EQ(query_value(query, "b").value(), "x&y");
  EXPECT_EQ(query_value(query, "c").value(), "");
  EXPECT_EQ(query_value(query, "d").value(), "");
  EXPECT_EQ(query_value(query, "e f").value(), "g h");
  EXPECT_EQ(query_value(query, "z").value(), std::nullopt);
  EXPECT_EQ(query_value("", "a").value(), std::nullopt);
  EXPECT_FALSE(query_value("a=%zz", "a"));
}

}  // namespace
}  // namespace weir::http
