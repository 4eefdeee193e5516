#include "http/connection.h"

#include "http/compress.h"
#include "http/connection_fixture.h"

namespace weir::http {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(ConnectionTest, AnswersARequest) {
  send(get("/a?b=c"));
  EXPECT_EQ(sent(), answer("GET /a "));
  ASSERT_EQ(handler.asked.size(), 1U);
  EXPECT_EQ(handler.asked[0].query, "b=c");
  EXPECT_EQ(handler.asked[0].peer, "192.0.2.1:1234");
  EXPECT_EQ(handler.asked[0].received_ns, loop().context().now_ns);
  EXPECT_FALSE(client().is_closed);
}

TEST_F(ConnectionTest, SaysTheDate) {
  send(get("/"));
  EXPECT_THAT(
      client().sent,
      testing::ContainsRegex("Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} "
                             "20[0-9]{2} [0-9:]{8} GMT\r\n")
  );
}

TEST_F(ConnectionTest, AnswersTheSameHoweverTheBytesArrive) {
  const std::string large(20'000, 'L');
  const std::string requests = get("/1") + post("two") + "\r\n" + chunked("three and more", 4) +
                               post("") + chunked("", 1) + get("/6") + post(large) +
                               chunked(large, 9'000) + get("/9");
  const std::string answers = answer("GET /1 ") + answer("POST /p two") +
                              answer("POST /p three and more") + answer("POST /p ") +
                              answer("POST /p ") + answer("GET /6 ") + answer("POST /p " + large) +
                              answer("POST /p " + large) + answer("GET /9 ");
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 64UL, 1000UL, 16'384UL, 1'000'000UL}) {
    const auto connection = connect();
    // Each piece is an event of its own…
    for (std::size_t at = 0; at < requests.size(); at += piece) {
      loop().send(*connection, requests.substr(at, piece));
    }
    ASSERT_TRUE(without_dates(connection->sent) == answers) << piece;  // Too long to print.
    // …or one of several reads that follow each other.
    connection->sent.clear();
    connection->read_size = piece;
    loop().send(*connection, requests);
    while (!connection->arriving.empty()) loop().send(*connection, "");
    ASSERT_TRUE(without_dates(connection->sent) == answers) << piece;  // Too long to print.
    ASSERT_FALSE(connection->is_closed);
  }
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(ConnectionTest, KeepsTheOrderOfPipelinedRequests) {
  std::vector<Exchange*> held;
  handler.on_handle = [&](Exchange& exchange) { held.push_back(&exchange); };
  send(get("/1") + get("/2"));
  ASSERT_EQ(held.size(), 1U);  // One exchange at a time.
  send(get("/3"));
  EXPECT_EQ(sent(), "");
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(held.size(), i + 1);
    held[i]->respond(200, "text/plain", std::to_string(i + 1), {});
    loop().settle();
  }
  EXPECT_EQ(sent(), answer("1") + answer("2") + answer("3"));
}

TEST_F(ConnectionTest, KeepsAPendingRequestWhileOthersAreServed) {
  Exchange* held = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    if (held != nullptr) return exchange.respond(200, "text/plain", "other", {});
    held = &exchange;
  };
  send(post("mine", "X-Name: value\r\n"));
  const Request& request = held->request();
  const auto other = connect();
  for (int i = 0; i < 10; ++i) loop().send(*other, post(std::string(1000, 'o')));
  EXPECT_EQ(request.body, "mine");
  EXPECT_EQ(request.path, "/p");
  EXPECT_EQ(request.header("x-name"), "value");
  EXPECT_EQ(request.peer, "192.0.2.1:1234");
  held->respond(200, "text/plain", "done", {});
  loop().settle();
  EXPECT_EQ(sent(), answer("done"));
}

TEST_F(ConnectionTest, AnswersFromAPostedFunction) {
  handler.on_handle = [](Exchange& exchange) {
    exchange.loop().post([&exchange] { exchange.respond(200, "text/plain", "later", {}); });
  };
  send(get("/1") + get("/2"));
  EXPECT_EQ(sent(), answer("later") + answer("later"));
}

TEST_F(ConnectionTest, ClosesWhenTheClientAsksForIt) {
  send(get("/", "Connection: close\r\n"));
  EXPECT_EQ(sent(), answer("GET / ", "Connection: close\r\n"));
  EXPECT_TRUE(client().is_closed);
  EXPECT_TRUE(client().is_finished());
}

TEST_F(ConnectionTest, SpeaksHttp10) {
  send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(take_sent(), answer("GET /a ", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(client().is_closed);
  send("POST /b HTTP/1.0\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(take_sent(), answer("POST /b x", "Connection: close\r\n"));
  EXPECT_TRUE(client().is_closed);
}

TEST_F(ConnectionTest, AnswersHeadWithoutABody) {
  send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + get("/b"));
  const std::string head = answer("HEAD /a ");
  EXPECT_EQ(sent(), head.substr(0, head.size() - 8) + answer("GET /b "));
}

TEST_F(ConnectionTest, GivesNoBodyWhereNoneIsAllowed) {
  handler.on_handle = [](Exchange& exchange) { exchange.respond(204, {}, "ignored", "A: b\r\n"); };
  send(get("/"));
  EXPECT_EQ(sent(), "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n");
}

TEST_F(ConnectionTest, AsksForTheBodyOnlyWhenTheClientWaits) {
  const std::string expecting =
      "POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  send(expecting);
  EXPECT_EQ(take_sent(), "HTTP/1.1 100 Continue\r\n\r\n");
  send("abc");
  EXPECT_EQ(take_sent(), answer("POST /p abc"));
  send(expecting + "abc");
  EXPECT_EQ(take_sent(), answer("POST /p abc"));
  send("POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(take_sent(), "HTTP/1.1 100 Continue\r\n\r\n");
  send("1\r\na\r\n0\r\n\r\n");
  EXPECT_EQ(take_sent(), answer("POST /p a"));
}

TEST_F(ConnectionTest, AnswersAClientThatHasClosedItsSide) {
  Exchange* held = nullptr;
  handler.on_handle = [&](Exchange& exchange) { held = &exchange; };
  client().ends = true;
  send(get("/"));
  ASSERT_NE(held, nullptr);
  EXPECT_TRUE(held->is_connected());
  // Is it there still? One that has gone would be found out by that.
  EXPECT_EQ(take_sent(), "HTTP/1.1 100 Continue\r\n\r\n");
  held->respond(200, "text/plain", "still here", {});
  loop().settle();
  EXPECT_EQ(sent(), answer("still here"));
  EXPECT_TRUE(client().is_closed);
}

TEST_F(ConnectionTest, SaysThatARequestWasCutOff) {
  for (const char* text :
       {"GET / HT",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na"}) {
    const auto connection = connect();
    loop().send(*connection, text);
    loop().end(*connection);
    EXPECT_THAT(connection->sent, StartsWith("HTTP/1.1 400 ")) << text;
    EXPECT_THAT(connection->sent, HasSubstr("ended in the middle"));
    EXPECT_TRUE(connection->is_closed);
  }
  EXPECT_TRUE(handler.asked.empty());
}

TEST_F(ConnectionTest, ClosesSilentlyWhenTheClientDoes) {
  send(get("/"));
  take_sent();
  loop().end(client());
  EXPECT_EQ(sent(), "");
  EXPECT_TRUE(client().is_finished());
}

TEST_F(ConnectionTest, OutlivesItsClientUntilTheExchangeIsAnswered) {
  Exchange* held = nullptr;
  handler.on_handle = [&](Exchange& exchange) { held = &exchange; };
  send(post("body"));
  EXPECT_TRUE(held->is_connected());
  client().on_lost();
  EXPECT_FALSE(held->is_connected());
  EXPECT_FALSE(client().is_finished());
  EXPECT_TRUE(client().is_closed);
  EXPECT_EQ(held->request().body, "body");
  held->respond(200, "text/plain", "for nobody", {});
  EXPECT_EQ(sent(), "");
  EXPECT_TRUE(client().is_finished());
  EXPECT_THAT(loop().context().finished, ElementsAre(&client()));
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(ConnectionTest, FindsOutWhileAnsweringThatTheClientHasGone) {
  handler.on_handle = [&](Exchange& exchange) {
    client().send_error = EPIPE;
    exchange.respond(200, "text/plain", "x", {});
  };
  send(get("/1") + get("/2"));
  EXPECT_EQ(handler.asked.size(), 1U);
  EXPECT_TRUE(client().is_finished());
  EXPECT_THAT(loop().context().finished, ElementsAre(&client()));
}

TEST_F(ConnectionTest, GoesOnWritingWhenThereIsRoom) {
  const std::string body(5'000, 'b');
  handler.on_handle = [&](Exchange& exchange) { exchange.respond(200, "text/plain", body, {}); };
  for (const std::size_t step : {1UL, 50UL, 5'000UL}) {
    const auto connection = connect();
    connection->room = 0;
    handler.asked.clear();
    loop().send(*connection, get("/1") + get("/2"));
    const std::string wanted = answer(body) + answer(body);
    // The second request is not begun before the first has been answered whole.
    EXPECT_EQ(handler.asked.size(), 1U);
    while (loop().buffered_bytes() > 0) loop().make_room(*connection, step);
    EXPECT_TRUE(without_dates(connection->sent) == wanted);
  }
}

TEST_F(ConnectionTest, TakesTurnsWithTheOthers) {
  client().arriving.clear();
  for (int i = 0; i < 100; ++i) client().arriving += get("/");
  client().on_readable(false);
  EXPECT_EQ(handler.asked.size(), 32U);
  loop().context().ready.front()->on_ready();
  EXPECT_EQ(handler.asked.size(), 64U);
  loop().context().ready.clear();
}

TEST_F(ConnectionTest, HoldsNothingWhileItIsIdle) {
  send(post(std::string(100'000, 'b')));
  EXPECT_EQ(loop().buffered_bytes(), 0U);
  send("GET / HT");
  EXPECT_GT(loop().buffered_bytes(), 0U);
  EXPECT_LT(loop().buffered_bytes(), 200U);
  send("TP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(ConnectionTest, KeepsTheHandlersMemoryForTheNextRequestSoon) {
  std::weak_ptr<void> kept;
  handler.on_handle = [&](Exchange& exchange) {
    if (!exchange.scratch()) exchange.scratch() = std::make_shared<int>(1);
    kept = exchange.scratch();
    exchange.respond(200, "text/plain", "x", {});
  };
  send(get("/"));
  loop().pass_us(900'000);
  EXPECT_FALSE(kept.expired());
  send(get("/"));
  loop().pass_us(999'999);
  EXPECT_FALSE(kept.expired());
  loop().pass_us(1);
  EXPECT_TRUE(kept.expired());
  send(get("/"));
  EXPECT_FALSE(kept.expired());
}

TEST_F(ConnectionTest, StreamsUntilItIsFinished) {
  Exchange* stream = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    stream = &exchange;
    exchange.begin_stream(200, "text/event-stream");
  };
  send(get("/events"));
  EXPECT_EQ(
      take_sent(),
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
      "Connection: close\r\nCache-Control: no-store\r\n\r\n"
  );
  EXPECT_TRUE(stream->send("data: 1\n\n"));
  EXPECT_TRUE(stream->send(""));
  EXPECT_EQ(take_sent(), "data: 1\n\n");
  loop().pass_us(3'600'000'000);  // A stream may be silent for an hour.
  EXPECT_TRUE(stream->send("data: 2\n\n"));
  EXPECT_FALSE(client().is_closed);
  stream->finish_stream();
  loop().settle();
  EXPECT_EQ(take_sent(), "data: 2\n\n");
  EXPECT_TRUE(client().is_finished());
}

TEST_F(ConnectionTest, StreamsNothingToHead) {
  handler.on_handle = [&](Exchange& exchange) {
    exchange.begin_stream(200, "text/plain");
    EXPECT_TRUE(exchange.send("x"));
    exchange.finish_stream();
  };
  send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(sent(), EndsWith("\r\n\r\n"));
  EXPECT_TRUE(client().is_closed);
}

TEST_F(ConnectionTest, EndsAStreamWhoseClientHasGone) {
  Exchange* stream = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    stream = &exchange;
    exchange.begin_stream(200, "text/plain");
  };
  send(get("/"));
  client().on_lost();
  EXPECT_FALSE(stream->send("x"));
  EXPECT_FALSE(stream->is_connected());
  EXPECT_FALSE(client().is_finished());
  stream->finish_stream();
  EXPECT_TRUE(client().is_finished());
}

TEST_F(ConnectionTest, CutsAStreamOffWhenTheServerStops) {
  Exchange* stream = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    stream = &exchange;
    exchange.begin_stream(200, "text/plain");
  };
  send(get("/"));
  loop().context().is_retiring = loop().context().is_draining = true;
  client().on_drain();
  EXPECT_TRUE(client().is_closed);
  EXPECT_FALSE(stream->send("x"));
  stream->finish_stream();
  EXPECT_TRUE(client().is_finished());
}

TEST_F(ConnectionTest, CompressesForClientsThatAcceptIt) {
  options.compress_min_bytes = 500;
  std::string body(500, 'b');
  std::string headers;
  handler.on_handle = [&](Exchange& exchange) {
    exchange.respond(200, "text/plain", body, headers);
  };
  const auto ask = [&](const std::string& accepted) {
    send(get("/", "Accept-Encoding: " + accepted + "\r\n"));
    return take_sent();
  };
  for (const auto& [name, coding] : std::initializer_list<std::pair<std::string, Coding>>{
           {"gzip", Coding::gzip}, {"deflate", Coding::deflate}}) {
    const std::string text = ask(name);
    EXPECT_THAT(text, HasSubstr("Content-Encoding: " + name + "\r\n"));
    EXPECT_THAT(text, HasSubstr("Vary: Accept-Encoding\r\n"));
    const std::string packed = text.substr(text.find("\r\n\r\n") + 4);
    EXPECT_THAT(text, HasSubstr("Content-Length: " + std::to_string(packed.size()) + "\r\n"));
    Buffer unpacked;
    ASSERT_TRUE(Compressor().inflate(coding, packed, 1000, unpacked));
    EXPECT_EQ(unpacked.view(), body);
  }
  EXPECT_EQ(ask("br"), answer(body, "Vary: Accept-Encoding\r\n"));
  headers = "content-Encoding: br\r\n";
  EXPECT_EQ(ask("gzip"), answer(body, headers));  // It says itself what it is.
  headers = "A: b\r\nContent-Encoding: br\r\n";
  EXPECT_EQ(ask("gzip"), answer(body, headers));
  headers = "";
  body.pop_back();
  EXPECT_EQ(ask("gzip"), answer(body));  // One byte too short to be worth it.
}

TEST_F(ConnectionTest, TakesCompressedBodies) {
  const std::string body(30'000, 'z');
  for (const auto& [name, coding] : std::initializer_list<std::pair<std::string, Coding>>{
           {"gzip", Coding::gzip}, {"deflate", Coding::deflate}}) {
    Buffer packed;
    Compressor().deflate(coding, body, packed);
    send(post(packed.view(), "Content-Encoding: " + name + "\r\n"));
    EXPECT_TRUE(take_sent() == answer("POST /p " + body));
  }
  send(post("", "Content-Encoding: gzip\r\n"));  // Nothing stays nothing.
  EXPECT_EQ(take_sent(), answer("POST /p "));
  EXPECT_EQ(loop().buffered_bytes(), 0U);
}

TEST_F(ConnectionTest, FinishesWhatIsInFlightWhenTheServerStops) {
  Exchange* held = nullptr;
  handler.on_handle = [&](Exchange& exchange) { held = &exchange; };
  send(get("/"));
  const auto idle = connect();
  const auto arrived = connect();
  arrived->arriving = get("/late");
  const auto halfway = connect();
  loop().send(*halfway, "GET / ");
  handler.on_handle = nullptr;
  loop().context().is_retiring = loop().context().is_draining = true;
  loop().context().waits.for_each([](Waiter& waiter) {
    static_cast<ScriptedConnection&>(waiter).on_drain();
  });
  loop().settle();
  EXPECT_EQ(without_dates(arrived->sent), answer("GET /late ", "Connection: close\r\n"));
  EXPECT_FALSE(client().is_closed);
  EXPECT_FALSE(halfway->is_closed);
  EXPECT_FALSE(idle->is_closed);  // Its client may have sent something that is on its way.
  loop().send(*halfway, "HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(without_dates(halfway->sent), answer("GET / ", "Connection: close\r\n"));
  held->respond(200, "text/plain", "done", {});
  loop().settle();
  EXPECT_EQ(sent(), answer("done", "Connection: close\r\n"));
  loop().pass_us(options.idle_drain_us - 1);
  EXPECT_FALSE(idle->is_closed);
  loop().pass_us(1);
  EXPECT_TRUE(idle->is_closed);
}

}  // namespace
}  // namespace weir::http
