#include <filesystem>
#include <fstream>
#include <sstream>

#include "http/access_log.h"
#include "http/connection_fixture.h"

// What connections do beside carrying requests and answers: names, cross-origin headers, the access
// log, the end of service.

namespace weir::http {
namespace {

using testing::HasSubstr;
using testing::Not;

using FrontTest = ConnectionTest;

constexpr std::string_view trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string options_request(std::string_view path, std::string_view headers) {
  return "OPTIONS " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
         "\r\n";
}

TEST_F(FrontTest, GivesTheRequestsIdBack) {
  std::string id;
  handler.on_handle = [&](Exchange& exchange) {
    id = exchange.request().id;
    exchange.respond(200, "text/plain", "x");
  };
  send(get("/", "X-Request-ID: abc-1\r\n"));
  EXPECT_EQ(take_sent(), answer("x", "X-Request-Id: abc-1\r\n"));
  EXPECT_EQ(id, "abc-1");
  send(get("/", "Ce-Id: event\r\n"));
  EXPECT_EQ(take_sent(), answer("x", "X-Request-Id: event\r\n"));
  for (const char* both : {"Ce-Id: e\r\nx-request-id: r\r\n", "x-request-id: r\r\nCe-Id: e\r\n"}) {
    send(get("/", both));
    EXPECT_EQ(take_sent(), answer("x", "X-Request-Id: r\r\n"));
  }
  send(get("/", "X-Request-ID: with space\r\n"));
  EXPECT_EQ(take_sent(), answer("x"));
  send(get("/", "X-Request-ID: " + std::string(129, 'x') + "\r\n"));
  EXPECT_EQ(take_sent(), answer("x"));
}

TEST_F(FrontTest, GivesTheIdBackWithARefusalToo) {
  handler.on_admit = [](const Request&) { return Admission{.status = 401, .message = "no"}; };
  send(get("/", "x-request-id: r\r\n"));
  EXPECT_THAT(take_sent(), HasSubstr("X-Request-Id: r\r\n"));
}

TEST_F(FrontTest, TakesATraceContextThatIsValid) {
  std::string seen;
  handler.on_handle = [&](Exchange& exchange) {
    seen = exchange.request().traceparent;
    exchange.respond(200, "text/plain", "x");
  };
  send(get("/", "Traceparent: " + std::string(trace) + "\r\n"));
  EXPECT_EQ(seen, trace);
  send(get("/", "Traceparent: 00-xyz\r\n"));
  EXPECT_EQ(seen, "");
}

TEST_F(FrontTest, TellsHowLongToWait) {
  handler.on_admit = [](const Request&) {
    return Admission{.status = 429, .message = "too fast", .retry_after_s = 17};
  };
  send(post("body"));
  EXPECT_THAT(take_sent(), HasSubstr("Retry-After: 17\r\n"));
  send(get("/"));
  EXPECT_THAT(take_sent(), HasSubstr("HTTP/1.1 429 Too Many Requests\r\n"));
}

TEST_F(FrontTest, SaysNothingToOtherOriginsByDefault) {
  send(get("/", "Origin: https://page.example\r\n"));
  EXPECT_EQ(take_sent(), answer("GET / "));
  send(options_request(
      "/p",
      "Origin: https://page.example\r\nAccess-Control-Request-Method: "
      "POST\r\n"
  ));
  EXPECT_EQ(take_sent(), answer("OPTIONS /p "));  // Like any other request.
}

TEST_F(FrontTest, LetsAllowedOriginsReadItsAnswers) {
  options.cors.origins = {"https://a.example", "https://b.example"};
  send(get("/", "Origin: https://b.example\r\n"));
  const std::string allowed = take_sent();
  EXPECT_THAT(allowed, HasSubstr("Access-Control-Allow-Origin: https://b.example\r\n"));
  EXPECT_THAT(allowed, HasSubstr("Vary: Origin\r\n"));
  for (const char* other : {"Origin: https://c.example\r\n", "Origin: null\r\n", ""}) {
    send(get("/", other));
    const std::string answered = take_sent();
    EXPECT_THAT(answered, Not(HasSubstr("Access-Control")));
    EXPECT_THAT(answered, HasSubstr("Vary: Origin\r\n"));
  }
}

TEST_F(FrontTest, AnswersAPreflightBeforeAdmission) {
  options.cors.origins = {"*"};
  handler.on_admit = [](const Request&) { return Admission{.status = 401, .message = "token"}; };
  send(options_request(
      "/v2/models/m/infer",
      "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization, content-type\r\n"
  ));
  const std::string preflight = take_sent();
  EXPECT_THAT(preflight, HasSubstr("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE"));
  EXPECT_THAT(
      preflight, HasSubstr("Access-Control-Allow-Headers: authorization, content-type\r\n")
  );
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Max-Age: 600\r\n"));
  EXPECT_TRUE(handler.declared.empty());
  // The refusal of the request itself can be read by the page too.
  send(post("x", "Origin: https://page.example\r\n"));
  const std::string refused = take_sent();
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(refused, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
}

TEST_F(FrontTest, LetsEveryAnswerBeTheLastBeforeTheServerStops) {
  send(get("/1"));
  EXPECT_EQ(take_sent(), answer("GET /1 "));
  loop().context().is_retiring = true;
  EXPECT_FALSE(client().is_closed);
  send(get("/2"));
  EXPECT_EQ(take_sent(), answer("GET /2 ", "Connection: close\r\n"));
  EXPECT_TRUE(client().is_closed);
  const auto later = connect();
  loop().send(*later, get("/3"));
  EXPECT_EQ(without_dates(later->sent), answer("GET /3 ", "Connection: close\r\n"));
}

class AccessTest : public ConnectionTest {
 protected:
  AccessTest()
      : path(
            std::filesystem::temp_directory_path() / ("weir_access_" + std::to_string(::getpid()))
        ) {}
  ~AccessTest() override { std::filesystem::remove(path); }
  void open(double sample) {
    auto opened = AccessLog::open({.path = path.string(), .sample = sample});
    ASSERT_TRUE(opened) << opened.error().message;
    log = std::move(*opened);
    loop().context().access_log = log.get();
  }
  std::string lines() {
    loop().context().access_log = nullptr;
    log.reset();
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::filesystem::path path;
  std::unique_ptr<AccessLog> log;
};

TEST_F(AccessTest, WritesALineAnAnswer) {
  open(1);
  send(post("body", "x-request-id: r\r\nTraceparent: " + std::string(trace) + "\r\n"));
  const std::string line = lines();
  EXPECT_THAT(line, HasSubstr("\"peer\":\"192.0.2.1:1234\",\"method\":\"POST\",\"path\":\"/p\""));
  EXPECT_THAT(line, HasSubstr("\"status\":200,\"request_bytes\":4,\"answer_bytes\":12,"));
  EXPECT_THAT(line, HasSubstr("\"id\":\"r\",\"traceparent\":\"" + std::string(trace) + "\"}\n"));
}

TEST_F(AccessTest, CallsARequestAsItsRecordIsCalled) {
  open(1);
  handler.on_handle = [](Exchange& exchange) {
    exchange.set_id("of the record");
    exchange.respond(200, "text/plain", "x");
  };
  send(get("/a?secret=1"));
  handler.on_handle = nullptr;
  send(get("/b"));
  const std::string text = lines();
  EXPECT_THAT(text, HasSubstr("\"path\":\"/a\""));
  EXPECT_THAT(text, HasSubstr("\"id\":\"of the record\"}\n"));
  EXPECT_EQ(text.find("\"id\"", text.find("/b")), std::string::npos);
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

TEST_F(AccessTest, AlwaysWritesErrorsAndRefusals) {
  open(0);
  send(get("/"));
  handler.on_admit = [](const Request&) { return Admission{.status = 429, .message = "no"}; };
  send(get("/refused"));
  send("nonsense\r\n\r\n");
  const std::string text = lines();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_THAT(text, HasSubstr("\"path\":\"/refused\",\"status\":429"));
  EXPECT_THAT(text, HasSubstr("\"status\":400"));
}

}  // namespace
}  // namespace weir::http
