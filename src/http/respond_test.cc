#include "http/respond.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

// Remembers the one answer it is given.
class RecordedExchange final : public Exchange {
 public:
  explicit RecordedExchange(std::string_view path) { request_.path = path; }
  const Request& request() const override { return request_; }
  Loop& loop() override { std::abort(); }
  bool is_connected() const override { return true; }
  void respond(
      int status, std::string_view content_type, std::string_view body, std::string_view headers
  ) override {
    status_ = status;
    content_type_ = content_type;
    body_ = body;
    headers_ = headers;
  }
  std::shared_ptr<void>& scratch() override { return scratch_; }
  void begin_stream(int, std::string_view) override {}
  bool send(std::string_view) override { return false; }
  void finish_stream() override {}

  int status_ = 0;
  std::string content_type_;
  std::string body_;
  std::string headers_;

 private:
  Request request_;
  std::shared_ptr<void> scratch_;
};

TEST(Respond, MapsEveryCodeToItsStatus) {
  EXPECT_EQ(http_status(Code::invalid_argument), 400);
  EXPECT_EQ(http_status(Code::not_found), 404);
  EXPECT_EQ(http_status(Code::conflict), 400);
  EXPECT_EQ(http_status(Code::conflict, Surface::control), 409);
  EXPECT_EQ(http_status(Code::exhausted), 503);
  EXPECT_EQ(http_status(Code::unavailable), 503);
  EXPECT_EQ(http_status(Code::deadline), 504);
  EXPECT_EQ(http_status(Code::corrupt), 500);
  EXPECT_EQ(http_status(Code::internal), 500);
}

TEST(Respond, TakesTheSurfaceFromThePath) {
  const Error conflict{Code::conflict, "exists"};
  for (const auto& [path, status] : std::initializer_list<std::pair<const char*, int>>{
           {"/v2", 400}, {"/v2/models/x", 400}, {"/v2x", 409}, {"/api/v1/endpoints", 409}}) {
    RecordedExchange exchange(path);
    respond_error(exchange, conflict);
    EXPECT_EQ(exchange.status_, status) << path;
    EXPECT_EQ(exchange.body_, R"({"error":"exists"})");
    EXPECT_EQ(exchange.content_type_, "application/json");
    EXPECT_EQ(exchange.headers_, "");
  }
}

TEST(Respond, AsksToTryAgainWhereThatMayHelp) {
  RecordedExchange exchange("/v2/models/x/infer");
  respond_error(exchange, {Code::exhausted, "queue full"});
  EXPECT_EQ(exchange.status_, 503);
  EXPECT_EQ(exchange.headers_, "Retry-After: 1\r\n");
}

TEST(Respond, WritesJson) {
  RecordedExchange exchange("/v2");
  respond_json(exchange, 201, "{}");
  EXPECT_EQ(exchange.status_, 201);
  EXPECT_EQ(exchange.content_type_, "application/json");
  EXPECT_EQ(exchange.body_, "{}");
}

TEST(ErrorBody, EscapesWhatJsonForbids) {
  EXPECT_EQ(
      error_body("a \"b\" \\ \n\t\x01"), "{\"error\":\"a \\\"b\\\" \\\\ \\n\\u0009\\u0001\"}"
  );
  EXPECT_EQ(
      error_body("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
      "{\"error\":\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"}"
  );
}

TEST(ErrorBody, ReplacesWhatIsNotUtf8) {
  // A stray byte, a cut sequence, an overlong form, a surrogate, a number too high.
  for (const auto& [bytes, replaced] : std::initializer_list<std::pair<const char*, int>>{
           {"\xFF", 1},
           {"\xE2\x82", 2},
           {"\xC0\x80", 2},
           {"\xED\xA0\x80", 3},
           {"\xF4\x90\x80\x80", 4},
           {"\xE0\x80\x80", 3},
           {"\xF0\x80\x80\x80", 4}}) {
    std::string wanted = "{\"error\":\"";
    for (int i = 0; i < replaced; ++i) wanted += "\xEF\xBF\xBD";
    EXPECT_EQ(error_body(bytes), wanted + "\"}");
  }
}

TEST(ReasonPhrase, IsNeverEmpty) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(599), "Unknown");
}

}  // namespace
}  // namespace weir::http
