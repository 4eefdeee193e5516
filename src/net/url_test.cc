#include "net/url.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

TEST(Url, TakesHostPortAndPath) {
  const Url url = parse_url("http://127.0.0.1:8080/v2/models/m/").value();
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, 8080);
  EXPECT_EQ(url.path, "/v2/models/m");
  EXPECT_EQ(parse_url("http://example").value().port, 80);
  EXPECT_FALSE(parse_url("http://example").value().is_tls);
  const Url secure = parse_url("https://example/v2").value();
  EXPECT_TRUE(secure.is_tls);
  EXPECT_EQ(secure.port, 443);
  EXPECT_EQ(secure.path, "/v2");
  EXPECT_EQ(parse_url("https://example:8443").value().port, 8443);
  const Url six = parse_url("http://[::1]:9").value();
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.authority(), "[::1]:9");
}

TEST(Url, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"",
        "127.0.0.1:8080",
        "https://",
        "ftp://x",
        "http://",
        "http://x:",
        "http://x:0",
        "http://x:99999",
        "http://x:80a",
        "http://[::1",
        "http://[::1]x"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code, Code::invalid_argument);
  }
}

TEST(Url, EncodesWhatHasAMeaning) {
  EXPECT_EQ(percent_encode("a/b c&é"), "a%2Fb%20c%26%C3%A9");
  EXPECT_EQ(percent_encode("a/b", true), "a/b");
}

}  // namespace
}  // namespace weir::net
