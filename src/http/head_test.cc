#include "http/head.h"

#include <random>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <http_parser.h>

namespace weir::http {
namespace {

using testing::HasSubstr;

struct Parsed {
  std::optional<Refusal> refusal;
  Head head;
  std::vector<Header> headers;
};

// `text` must outlive the result.
Parsed parse(std::string_view text, HeadLimits limits = {64 * 1024, 128}) {
  Parsed parsed;
  const HeadScan scan = scan_head(text, 0);
  if (scan.outcome != HeadScan::Outcome::complete) {
    parsed.refusal = Refusal{400, "the scan found no end"};
    return parsed;
  }
  parsed.refusal = parse_head(text.substr(0, scan.size), limits, parsed.headers, parsed.head);
  return parsed;
}

// The status with which the head is refused; 0 when it is not.
int status_of(std::string_view text) {
  const Parsed parsed = parse(text);
  return parsed.refusal ? parsed.refusal->status : 0;
}

TEST(Head, GivesMethodPathQueryAndHeaders) {
  const std::string text =
      "POST /v2/models/a%20b/infer?x=1&y HTTP/1.1\r\nHost: here:8080\r\nX-Empty:\r\n"
      "content-LENGTH:\t 12 \t\r\n\r\n";
  const Parsed parsed = parse(text);
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->message;
  const Request& request = parsed.head.request;
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.path, "/v2/models/a%20b/infer");
  EXPECT_EQ(request.query, "x=1&y");
  EXPECT_EQ(request.headers.size(), 3U);
  EXPECT_EQ(request.header("HOST"), "here:8080");
  EXPECT_EQ(request.header("Content-Length"), "12");
  EXPECT_EQ(request.header("x-empty"), "");
  EXPECT_EQ(request.header("x-absent"), "");
  EXPECT_EQ(parsed.head.content_length, 12U);
  EXPECT_TRUE(parsed.head.keep_alive);
  EXPECT_FALSE(parsed.head.is_chunked);
}

TEST(Head, KnowsTheMethods) {
  for (const Method method :
       {Method::get,
        Method::head,
        Method::post,
        Method::put,
        Method::delete_,
        Method::options,
        Method::patch}) {
    const std::string text = std::string(to_string(method)) + " / HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(parse(text).head.request.method, method);
  }
  EXPECT_EQ(parse("BREW / HTTP/1.1\r\nHost: x\r\n\r\n").head.request.method, Method::other);
  EXPECT_EQ(parse("get / HTTP/1.1\r\nHost: x\r\n\r\n").head.request.method, Method::other);
}

TEST(Head, IsFoundHoweverItArrives) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
  const std::size_t end = text.size() - 4;
  for (std::size_t step = 1; step <= text.size(); ++step) {
    std::size_t scanned = 0;
    for (std::size_t have = step;; have = std::min(have + step, text.size())) {
      const HeadScan scan = scan_head(std::string_view(text).substr(0, have), scanned);
      if (have < end) {
        ASSERT_EQ(scan.outcome, HeadScan::Outcome::incomplete) << step << " " << have;
        scanned = scan.size;
        continue;
      }
      ASSERT_EQ(scan.outcome, HeadScan::Outcome::complete) << step << " " << have;
      ASSERT_EQ(scan.size, end);
      break;
    }
  }
}

TEST(Head, MayFollowOneEmptyLineOfAnEarlierRequest) {
  EXPECT_EQ(status_of("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  EXPECT_EQ(status_of("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

TEST(Head, DecidesWhetherTheConnectionIsKept) {
  const auto keeps = [](const std::string& version, const std::string& header) {
    const std::string text = "GET / " + version + "\r\nHost: x\r\n" + header + "\r\n";
    const Parsed parsed = parse(text);
    EXPECT_FALSE(parsed.refusal);
    return parsed.head.keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: x, close ,y\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(Head, TakesAnAbsoluteAddressByItsPath) {
  const auto path = [](const std::string& target) {
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
    const Parsed parsed = parse(text);
    EXPECT_FALSE(parsed.refusal) << target;
    return std::string(parsed.head.request.path) + "?" + std::string(parsed.head.request.query);
  };
  EXPECT_EQ(path("http://here:80/a?b"), "/a?b");
  EXPECT_EQ(path("HTTPS://here"), "/?");
  EXPECT_EQ(path("http://here?b=/"), "/?b=/");
  EXPECT_EQ(path("/a?b?c"), "/a?b?c");
  EXPECT_EQ(path("//a"), "//a?");
}

TEST(Head, RefusesAddressesThatAreNone) {
  const auto status = [](const std::string& target) {
    return status_of("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  };
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("a"), 400);
  EXPECT_EQ(status("*"), 400);
  EXPECT_EQ(status("ftp://a/b"), 400);
  EXPECT_EQ(status("/a b"), 400);
  EXPECT_EQ(status("/a#b"), 400);
  EXPECT_EQ(status("/\xC3\xA9"), 400);
  EXPECT_EQ(status("/a\tb"), 400);
  EXPECT_EQ(status("?a"), 400);
  EXPECT_EQ(status_of("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  EXPECT_EQ(status_of("CONNECT here:80 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

TEST(Head, RefusesOtherVersions) {
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1x\r\nHost: x\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / http/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status_of(" GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1 \r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(status_of("\x16\x03\x01 hello \r\n\r\n"), 400);
}

// Each of these has let a request be smuggled past some proxy.
TEST(Head, RefusesBothContentLengthAndTransferEncoding) {
  for (const char* text :
       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Content-Length: 3\r\n\r\n"}) {
    EXPECT_EQ(status_of(text), 400);
  }
}

TEST(Head, RefusesARepeatedContentLength) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n";
  EXPECT_EQ(status_of(start + "\r\n"), 0);
  EXPECT_EQ(status_of(start + "Content-Length: 4\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "content-length: 3\r\n\r\n"), 400);
}

TEST(Head, RefusesAContentLengthThatIsNoNumber) {
  const auto status = [](const std::string& value) {
    return status_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length:" + value + "\r\n\r\n");
  };
  for (const char* value :
       {"",
        " ",
        "+3",
        "-3",
        "3,3",
        "3 3",
        "0x3",
        "3.0",
        "3;",
        "\xC2\xA0"
        "3"}) {
    EXPECT_EQ(status(value), 400) << value;
  }
  EXPECT_EQ(status("18446744073709551615"), 0);
  EXPECT_EQ(status("18446744073709551616"), 413);
}

TEST(Head, RefusesTransferEncodingsOtherThanChunked) {
  const auto status = [](const std::string& headers) {
    return status_of("POST / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  };
  EXPECT_EQ(status("Transfer-Encoding: CHUNKED\r\n"), 0);
  EXPECT_EQ(status("Transfer-Encoding: gzip, chunked\r\n"), 501);
  EXPECT_EQ(status("Transfer-Encoding: chunked, identity\r\n"), 501);
  EXPECT_EQ(status("Transfer-Encoding: xchunked\r\n"), 501);
  EXPECT_EQ(status("Transfer-Encoding: \"chunked\"\r\n"), 501);
  EXPECT_EQ(status("Transfer-Encoding:\r\n"), 501);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(Head, RefusesASpaceBeforeTheColon) {
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\t: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"), 400);
}

TEST(Head, RefusesAFoldedHeader) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tContent-Length: 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n Host: x\r\n\r\n"), 400);
}

TEST(Head, RefusesControlCharacters) {
  for (int byte = 0; byte < 256; ++byte) {
    if (byte == '\n') continue;  // The next test's.
    const bool is_fine = byte == '\t' || (byte >= 0x20 && byte != 0x7F);
    const std::string text =
        "GET / HTTP/1.1\r\nHost: x\r\nA: b" + std::string(1, static_cast<char>(byte)) + "c\r\n\r\n";
    EXPECT_EQ(status_of(text), is_fine ? 0 : 400) << byte;
  }
  using std::string_literals::operator""s;
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"s), 400);
  EXPECT_EQ(status_of("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"s), 400);
}

TEST(Head, RefusesALineFeedWithoutAReturn) {
  for (const char* text :
       {"GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n",
        "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        "\nGET / HTTP/1.1\r\n"}) {
    EXPECT_EQ(scan_head(text, 0).outcome, HeadScan::Outcome::bare_line_feed) << text;
  }
}

TEST(Head, WantsExactlyOneHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
}

TEST(Head, ExpectsOnlyToContinue) {
  EXPECT_TRUE(
      parse("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n").head.expects_continue
  );
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n"), 417);
}

TEST(Head, ReadsTheContentEncoding) {
  const auto coding = [](const std::string& headers) {
    const std::string text = "POST / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
    return parse(text).head.content_coding;
  };
  EXPECT_EQ(coding(""), Coding::identity);
  EXPECT_EQ(coding("Content-Encoding: identity\r\n"), Coding::identity);
  EXPECT_EQ(coding("Content-Encoding: GZIP\r\n"), Coding::gzip);
  EXPECT_EQ(coding("Content-Encoding: deflate\r\n"), Coding::deflate);
  EXPECT_EQ(coding("Content-Encoding: br\r\n"), Coding::unknown);
  EXPECT_EQ(coding("Content-Encoding: gzip, gzip\r\n"), Coding::unknown);
  EXPECT_EQ(coding("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), Coding::unknown);
}

TEST(Head, LimitsTheNumberOfHeaders) {
  std::string text = "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n";
  EXPECT_FALSE(parse(text, {1000, 3}).refusal);
  const Parsed parsed = parse(text, {1000, 2});
  ASSERT_TRUE(parsed.refusal);
  EXPECT_EQ(parsed.refusal->status, 431);
  EXPECT_THAT(parsed.refusal->message, HasSubstr("2 headers"));
}

// A second opinion: what this parser accepts, another one accepts too and understands alike.
struct SecondOpinion {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  bool is_complete = false;
  bool keeps_alive = false;
  bool is_chunked = false;
  std::uint64_t content_length = 0;
  int method = -1;
};

SecondOpinion second_opinion(std::string_view text) {
  SecondOpinion opinion;
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  const auto of = [](http_parser* parser) -> SecondOpinion& {
    return *static_cast<SecondOpinion*>(parser->data);
  };
  static const auto get = of;
  settings.on_url = [](http_parser* parser, const char* at, std::size_t size) {
    get(parser).url.append(at, size);
    return 0;
  };
  settings.on_header_field = [](http_parser* parser, const char* at, std::size_t size) {
    get(parser).headers.emplace_back(std::string(at, size), "");
    return 0;
  };
  settings.on_header_value = [](http_parser* parser, const char* at, std::size_t size) {
    get(parser).headers.back().second.append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](http_parser* parser) {
    SecondOpinion& found = get(parser);
    found.is_complete = true;
    found.keeps_alive = http_should_keep_alive(parser) != 0;
    found.is_chunked = (parser->flags & F_CHUNKED) != 0;
    found.content_length = (parser->flags & F_CONTENTLENGTH) != 0 ? parser->content_length : 0;
    found.method = static_cast<int>(parser->method);
    return 0;
  };
  http_parser parser;
  http_parser_init(&parser, HTTP_REQUEST);
  parser.data = &opinion;
  http_parser_execute(&parser, &settings, text.data(), text.size());
  return opinion;
}

TEST(Head, IsUnderstoodAlikeByAnotherParser) {
  const std::vector<std::string> seeds = {
      "POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\nAccept: */*\r\n\r\n",
      "GET /a?b HTTP/1.0\r\nConnection: keep-alive\r\nX: y z\r\n\r\n",
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
      "DELETE http://h/p HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
  };
  const std::vector<std::string> pieces = {
      "\r\n",
      "\n",
      "\r",
      ":",
      " ",
      "\t",
      ",",
      "0",
      "9",
      "chunked",
      "close",
      "keep-alive",
      "Content-Length: 3\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Connection: ",
      "\x7F",
      "\xC3",
      std::string(1, '\0')};
  std::mt19937_64 random(20261124);
  int accepted = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string text = seeds[random() % seeds.size()];
    for (std::uint64_t change = 0, changes = random() % 3 + 1; change < changes; ++change) {
      const std::size_t at = random() % text.size();
      const std::string& piece = pieces[random() % pieces.size()];
      text.replace(at, random() % 2 == 0 ? 0 : random() % 4, piece);
    }
    const Parsed parsed = parse(text);
    if (parsed.refusal) continue;
    // Methods of which the other one has never heard, its own rules for hosts in addresses, and
    // empty elements of a list, which it takes for the end of the list, and tabs behind a number.
    if (parsed.head.request.method == Method::other) continue;
    if (text.find("://") != std::string::npos) continue;
    if (text.find_first_of(",\t") != std::string::npos) continue;
    const SecondOpinion opinion = second_opinion(text);
    ASSERT_TRUE(opinion.is_complete) << text;
    ++accepted;
    EXPECT_EQ(opinion.keeps_alive, parsed.head.keep_alive) << text;
    EXPECT_EQ(opinion.is_chunked, parsed.head.is_chunked) << text;
    EXPECT_EQ(opinion.content_length, parsed.head.content_length) << text;
    EXPECT_EQ(
        http_method_str(static_cast<http_method>(opinion.method)),
        to_string(parsed.head.request.method)
    );
    const Request& request = parsed.head.request;
    EXPECT_TRUE(opinion.url.starts_with(request.path) && opinion.url.ends_with(request.query));
    ASSERT_EQ(opinion.headers.size(), request.headers.size()) << text;
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
      EXPECT_EQ(opinion.headers[i].first, request.headers[i].name) << text;
      // It leaves white space at the end of a value.
      EXPECT_TRUE(opinion.headers[i].second.starts_with(request.headers[i].value)) << text;
    }
  }
  EXPECT_GT(accepted, 2'000);  // Else the mutations are too wild to say anything.
}

}  // namespace
}  // namespace weir::http
