#include "http/compress.h"
#include "http/connection.h"
#include "http/connection_fixture.h"

namespace weir::http {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using LimitsTest = ConnectionTest;

std::string packed(std::string_view text) {
  Buffer out;
  Compressor().deflate(Coding::gzip, text, out);
  return std::string(out.view());
}

TEST_F(LimitsTest, TheHeadMayHaveExactlyItsLimit) {
  options.max_head_bytes = 200;
  const std::string short_one = get("/", "A: \r\n");
  const std::string fits = get("/", "A: " + std::string(200 - short_one.size(), 'a') + "\r\n");
  ASSERT_EQ(fits.size(), 200U);
  send(fits);
  EXPECT_EQ(take_sent(), answer("GET / "));
  send(get("/", "A: " + std::string(201 - short_one.size(), 'a') + "\r\n"));
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(sent(), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(sent(), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(
      sent(),
      EndsWith("{\"error\":\"the head of the request has more than 200 bytes "
               "(max_head_bytes)\"}")
  );
  EXPECT_EQ(count(&LoopCounts::over_limit), 1U);
}

TEST_F(LimitsTest, AHeadThatDoesNotEndIsRefusedAtTheLimit) {
  options.max_head_bytes = 50'000;
  send("GET /" + std::string(49'994, 'a'));
  EXPECT_EQ(sent(), "");
  send("a");
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(LimitsTest, TooManyHeadersAreRefused) {
  options.max_headers = 3;
  send(get("/", "A: b\r\nA: b\r\n"));
  EXPECT_EQ(take_sent(), answer("GET / "));
  send(get("/", "A: b\r\nA: b\r\nA: b\r\n"));
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(LimitsTest, TheBodyMayHaveExactlyItsLimit) {
  options.max_body_bytes = 1000;
  const std::string fits(1000, 'f');
  const std::string too_large(1001, 'f');
  for (const std::string& request :
       {post(fits), chunked(fits, 300), post(packed(fits), "Content-Encoding: gzip\r\n")}) {
    send(request);
    EXPECT_EQ(take_sent(), answer("POST /p " + fits));
  }
  for (const std::string& request :
       {post(too_large),
        chunked(too_large, 300),
        post(packed(too_large), "Content-Encoding: gzip\r\n")}) {
    const auto connection = connect();
    loop().send(*connection, request);
    EXPECT_THAT(connection->sent, StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(connection->sent, HasSubstr("more than"));
  }
  EXPECT_EQ(handler.asked.size(), 3U);
  EXPECT_EQ(count(&LoopCounts::over_limit), 3U);
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, AdmissionMaySetAnotherLimit) {
  options.max_body_bytes = 10;
  handler.on_admit = [](const Request& head) {
    Admission admission;
    admission.max_body_bytes = head.path == "/p" ? 100 : 0;
    return admission;
  };
  send(post(std::string(100, 'a')));
  EXPECT_THAT(take_sent(), StartsWith("HTTP/1.1 200 "));
  send(post(std::string(101, 'a')));
  EXPECT_THAT(take_sent(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(LimitsTest, AdmissionIsAskedBeforeTheBodyIsRead) {
  handler.on_admit = [](const Request& head) {
    return head.path == "/p" ? Admission{503, "the queue is full", 0} : Admission();
  };
  send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_THAT(
      take_sent(),
      testing::AllOf(
          StartsWith("HTTP/1.1 503 "),
          HasSubstr("Retry-After: 1\r\n"),
          Not(HasSubstr("Connection: close")),
          EndsWith("\r\n\r\n{\"error\":\"the queue is full\"}")
      )
  );
  EXPECT_THAT(handler.declared, ElementsAre(1000));
  // The connection can be used again behind the body that nobody wanted.
  send(std::string(999, 'b'));
  EXPECT_EQ(sent(), "");
  send("b" + get("/next"));
  EXPECT_EQ(take_sent(), answer("GET /next "));
  ASSERT_EQ(handler.asked.size(), 1U);
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, ARefusedBodyThatIsLongOrUncertainEndsTheConnection) {
  options.max_discarded_bytes = 1000;
  handler.on_admit = [](const Request&) { return Admission{429, "slower", 0}; };
  const std::string start = "POST /p HTTP/1.1\r\nHost: x\r\n";
  for (const std::string& head :
       {start + "Content-Length: 1001\r\n\r\n",
        start + "Transfer-Encoding: chunked\r\n\r\n",
        start + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"}) {
    const auto connection = connect();
    loop().send(*connection, head);
    EXPECT_THAT(connection->sent, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
    EXPECT_THAT(connection->sent, HasSubstr("Connection: close\r\n"));
    // Not at once, or the client might lose the answer.
    EXPECT_TRUE(connection->is_shut_down);
    EXPECT_FALSE(connection->is_closed);
    loop().send(*connection, std::string(100'000, 'b'));
    EXPECT_FALSE(connection->is_closed);
    loop().end(*connection);
    EXPECT_TRUE(connection->is_closed);
  }
  send(start + "Content-Length: 1000\r\n\r\n");
  EXPECT_THAT(sent(), Not(HasSubstr("Connection: close\r\n")));
}

TEST_F(LimitsTest, ARefusedBodyThatDoesNotComeIsNotAwaitedForEver) {
  handler.on_admit = [](const Request&) { return Admission{503, "full", 0}; };
  send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  loop().pass_us(options.body_timeout_us - 1);
  EXPECT_FALSE(client().is_closed);
  loop().pass_us(1);
  EXPECT_TRUE(client().is_closed);
}

TEST_F(LimitsTest, AHeadThatTricklesInTakesNoLongerThanItsTime) {
  options.head_timeout_us = 10'000'000;
  loop().pass_us(60'000'000);
  const std::string text = get("/");
  send(text.substr(0, 1));
  for (std::size_t i = 1; i < 10; ++i) {
    loop().pass_us(1'000'000);
    send(text.substr(i, 1));
  }
  loop().pass_us(999'999);
  EXPECT_EQ(sent(), "");
  loop().pass_us(1);
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(sent(), HasSubstr("{\"error\":"));
  EXPECT_EQ(count(&LoopCounts::timeouts), 1U);
}

TEST_F(LimitsTest, EveryHeadHasItsOwnTime) {
  options.head_timeout_us = 10'000'000;
  const std::string text = get("/");
  for (int i = 0; i < 3; ++i) {
    send(text.substr(0, 5));
    loop().pass_us(9'000'000);
    // The rest, and the start of the next one, whose time begins now.
    send(text.substr(5));
  }
  EXPECT_EQ(sent(), answer("GET / ") + answer("GET / ") + answer("GET / "));
  send(text.substr(0, 5));
  loop().pass_us(9'000'000);
  send(text.substr(5) + text.substr(0, 5));
  loop().pass_us(9'000'000);
  EXPECT_FALSE(client().is_closed);
  EXPECT_EQ(handler.asked.size(), 4U);
  EXPECT_EQ(handler.asked[3].received_ns, loop().context().now_ns - 18'000'000'000);
}

TEST_F(LimitsTest, ABodyTakesNoLongerThanItsTime) {
  options.body_timeout_us = 20'000'000;
  send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 19; ++i) {
    loop().pass_us(1'000'000);
    send("b");
  }
  loop().pass_us(999'999);
  EXPECT_EQ(sent(), "");
  loop().pass_us(1);
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(handler.asked.empty());
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, AnIdleConnectionIsClosedSilently) {
  options.idle_timeout_us = 75'000'000;
  send(get("/"));
  take_sent();
  loop().pass_us(74'999'999);
  EXPECT_FALSE(client().is_closed);
  loop().pass_us(1);
  EXPECT_TRUE(client().is_closed);
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(count(&LoopCounts::timeouts), 0U);
}

TEST_F(LimitsTest, AHandlerHasAllTheTimeItNeeds) {
  handler.on_handle = [](Exchange&) {};
  send(get("/"));
  loop().pass_us(86'400'000'000);
  EXPECT_FALSE(client().is_closed);
  client().on_lost();
}

TEST_F(LimitsTest, AClientThatDoesNotReadIsCutOff) {
  options.write_timeout_us = 30'000'000;
  client().room = 10;
  send(get("/"));
  loop().pass_us(29'999'999);
  loop().make_room(client(), 1);  // It reads on, so its time begins again.
  loop().pass_us(29'999'999);
  EXPECT_FALSE(client().is_closed);
  loop().pass_us(1);
  EXPECT_TRUE(client().is_closed);
  EXPECT_EQ(count(&LoopCounts::timeouts), 1U);
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, AClientThatNeitherReadsNorStopsAskingHoldsLittle) {
  client().room = 0;
  const std::string body(1000, 'b');
  for (int i = 0; i < 1000; ++i) client().arriving += post(body);
  client().on_readable(false);
  loop().settle();
  EXPECT_EQ(handler.asked.size(), 1U);
  EXPECT_LT(loop().buffered_bytes(), 32U * 1024);
}

TEST_F(LimitsTest, ALingeringClientIsCutOff) {
  options.linger_timeout_us = 2'000'000;
  send("nonsense\r\n\r\n");
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(client().is_shut_down);
  for (int i = 0; i < 1'999; ++i) {
    loop().pass_us(1000);
    send("more");
  }
  EXPECT_FALSE(client().is_closed);
  loop().pass_us(1000);
  EXPECT_TRUE(client().is_closed);
  EXPECT_EQ(count(&LoopCounts::malformed), 1U);
}

TEST_F(LimitsTest, MalformedRequestsGetAnAnswerInJson) {
  for (const char* text :
       {"GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}) {
    const auto connection = connect();
    loop().send(*connection, text);
    EXPECT_THAT(
        connection->sent,
        testing::AllOf(
            StartsWith("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"),
            HasSubstr("Connection: close\r\n"),
            testing::ContainsRegex("\r\n\r\n[{]\"error\":\"[^\"]+\"[}]$")
        )
    );
  }
  EXPECT_EQ(count(&LoopCounts::malformed), 5U);
  EXPECT_TRUE(handler.asked.empty());
}

TEST_F(LimitsTest, NothingIsReadBehindARefusedRequest) {
  // What follows a request whose end is unknown must not be taken for a request.
  send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + get("/evil")
  );
  EXPECT_TRUE(handler.asked.empty());
  EXPECT_EQ(sent().find("HTTP/1.1", 1), std::string::npos);
}

TEST_F(LimitsTest, UnknownEncodingsAreRefused) {
  send(post("abc", "Content-Encoding: br\r\n"));
  EXPECT_THAT(take_sent(), StartsWith("HTTP/1.1 415 "));
  send(get("/still-usable"));
  EXPECT_EQ(take_sent(), answer("GET /still-usable "));
  send(post("not gzip", "Content-Encoding: gzip\r\n"));
  EXPECT_THAT(take_sent(), StartsWith("HTTP/1.1 400 "));
}

TEST_F(LimitsTest, ABombIsRefusedWithoutBeingHeld) {
  options.max_body_bytes = 1 << 20;
  send(post(packed(std::string(50 << 20, '\0')), "Content-Encoding: gzip\r\n"));
  EXPECT_THAT(sent(), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, TheBodiesOfAllConnectionsTogetherAreLimited) {
  options.max_buffered_bytes = 1 << 20;
  std::vector<std::unique_ptr<ScriptedConnection>> clients;
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    loop().send(*clients.back(), "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
    loop().send(*clients.back(), std::string(150'000, 'b'));
    if (clients.back()->sent.empty()) continue;
    ++refused;
    EXPECT_THAT(clients.back()->sent, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(clients.back()->sent, HasSubstr("Retry-After: 1\r\n"));
  }
  EXPECT_GE(refused, 4);
  EXPECT_LE(refused, 7);
  EXPECT_LE(loop().buffered_bytes(), options.max_buffered_bytes);
  // Those who were let in are served, and there is room again.
  for (const auto& client : clients) {
    if (client->sent.empty()) loop().send(*client, std::string(50'000, 'b'));
  }
  EXPECT_EQ(handler.asked.size(), static_cast<std::size_t>(10 - refused));
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, AnAnnouncedBodyTakesNoRoomBeforeItArrives) {
  options.max_buffered_bytes = 1 << 20;
  std::vector<std::unique_ptr<ScriptedConnection>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    loop().send(*clients.back(), "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n");
    EXPECT_EQ(clients.back()->sent, "");
  }
  EXPECT_LE(loop().buffered_bytes(), 50U * 17 * 1024);
}

TEST_F(LimitsTest, AnAnswerThatNobodyReadsCountsToo) {
  options.max_buffered_bytes = 1 << 20;
  const std::string large(2 << 20, 'l');
  handler.on_handle = [&](Exchange& exchange) { exchange.respond(200, "text/plain", large, {}); };
  client().room = 100;
  send(get("/"));
  EXPECT_TRUE(client().is_closed);
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(LimitsTest, AStreamMayBeUnreadUpToItsLimit) {
  options.stream_buffer_bytes = 1000;
  Exchange* stream = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    stream = &exchange;
    exchange.begin_stream(200, "text/plain");
  };
  send(get("/"));
  client().room = 0;
  EXPECT_TRUE(stream->send(std::string(1000, 'a')));
  loop().make_room(client(), 400);
  EXPECT_TRUE(stream->send(std::string(400, 'a')));
  EXPECT_FALSE(stream->send("a"));
  EXPECT_TRUE(client().is_closed);
  EXPECT_FALSE(stream->send("a"));
  stream->finish_stream();
  EXPECT_TRUE(client().is_finished());
}

TEST_F(LimitsTest, AConnectionTooManyIsToldSo) {
  options.max_connections = 7;
  const auto refused = connect();
  refused->refuse_connection();
  EXPECT_THAT(refused->sent, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused->sent, HasSubstr("7 connections"));
  loop().send(*refused, get("/"));
  EXPECT_TRUE(handler.asked.empty());
  loop().pass_us(options.linger_timeout_us);
  EXPECT_TRUE(refused->is_finished());
}

}  // namespace
}  // namespace weir::http
