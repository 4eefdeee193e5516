#include "http/server.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/server_fixture.h"

namespace weir::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ServerTest, AnswersOneRequestAfterAnotherOnAConnection) {
  start();
  RawClient client = connect();
  for (int i = 0; i < 100; ++i) {
    const std::string body = std::to_string(i);
    ASSERT_TRUE(client.send(post(body)));
    const std::string answer = client.receive_answer();
    ASSERT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    ASSERT_THAT(answer, EndsWith("\r\n\r\n/p " + body));
  }
  EXPECT_EQ(server->counts().requests_total, 100U);
  EXPECT_EQ(server->counts().connections_total, 1U);
  EXPECT_EQ(server->counts().connections_open, 1U);
  client.close();
  wait_for([](const ServerCounts& counts) { return counts.connections_open == 0; });
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  handler.on_handle = [](Exchange& exchange) {
    // Every second answer comes later.
    if (exchange.request().path.back() % 2 == 0) {
      return exchange.respond(200, "text/plain", exchange.request().path);
    }
    exchange.loop().post([&exchange] {
      exchange.respond(200, "text/plain", exchange.request().path);
    });
  };
  start();
  RawClient client = connect();
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += get("/" + std::to_string(i));
  client.send(requests);
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(client.receive_answer(), EndsWith("\r\n\r\n/" + std::to_string(i)));
  }
}

TEST_F(ServerTest, TakesLargeBodiesAndGivesLargeAnswers) {
  start();
  std::string body(20'000'000, 'b');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i % 26);
  RawClient client = connect();
  std::thread sender([&] { client.send(post(body)); });
  const std::string answer = client.receive_answer();
  sender.join();
  EXPECT_TRUE(answer.ends_with("\r\n\r\n/p " + body));
  EXPECT_EQ(server->counts().buffered_bytes, 0U);
}

TEST_F(ServerTest, AnswersAClientThatHasClosedItsSide) {
  start();
  RawClient client = connect();
  client.send(post("last words"));
  client.close_sending();
  EXPECT_THAT(client.receive_all(), EndsWith("/p last words"));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ServerTest, AnswersFromAnotherThreadThroughTheLoop) {
  std::thread worker;
  handler.on_handle = [&](Exchange& exchange) {
    worker = std::thread([&exchange] {
      exchange.loop().post([&exchange] { exchange.respond(200, "text/plain", "done"); });
    });
  };
  start();
  RawClient client = connect();
  client.send(get("/"));
  EXPECT_THAT(client.receive_answer(), EndsWith("\r\n\r\ndone"));
  worker.join();
}

TEST_F(ServerTest, NoticesThatAClientHasGone) {
  std::atomic<Exchange*> held = nullptr;
  Signal arrived;
  handler.on_handle = [&](Exchange& exchange) {
    held = &exchange;
    arrived.set();
  };
  start();
  RawClient client = connect();
  client.send(post("still there"));
  arrived.wait();
  client.reset();
  // Asks on the loop's thread until the news has come in.
  Signal gone;
  std::function<void()> ask = [&] {
    Exchange& exchange = *held;
    if (exchange.is_connected()) {
      exchange.loop().post(ask);
      return;
    }
    EXPECT_EQ(exchange.request().body, "still there");
    exchange.respond(200, "text/plain", "for nobody");
    gone.set();
  };
  held.load()->loop().post(ask);
  gone.wait();
  wait_for([](const ServerCounts& counts) { return counts.connections_open == 0; });
  EXPECT_EQ(server->counts().buffered_bytes, 0U);
}

TEST_F(ServerTest, LetsTheClientReadTheRefusalOfABodyItStillSends) {
  options.max_body_bytes = 1000;
  start();
  RawClient client = connect();
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
  // The client sends on without looking; the answer must not be lost in a reset.
  client.send(std::string(3'000'000, 'b'));
  client.close_sending();
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ServerTest, TellsTheConnectionTooManyToComeLater) {
  options.max_connections = 2;
  start();
  RawClient first = connect();
  RawClient second = connect();
  first.send(get("/1"));
  second.send(get("/2"));
  EXPECT_THAT(first.receive_answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(second.receive_answer(), StartsWith("HTTP/1.1 200 "));
  RawClient third = connect();
  third.send(get("/3"));
  third.close_sending();
  const std::string refusal = third.receive_all();
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refusal, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(refusal, HasSubstr("{\"error\":\"2 connections are open"));
  EXPECT_FALSE(third.was_reset());
  EXPECT_EQ(server->counts().connections_refused, 1U);
  // Whoever has room is served again.
  second.close();
  wait_for([](const ServerCounts& counts) { return counts.connections_open == 1; });
  RawClient fourth = connect();
  fourth.send(get("/4"));
  EXPECT_THAT(fourth.receive_answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, ClosesWhatIsBeyondTheRefusalsThatMayWait) {
  options.max_connections = 1;
  options.max_refused_open = 1;
  start();
  RawClient served = connect();
  RawClient refused = connect();
  RawClient closed = connect();
  EXPECT_THAT(refused.receive_answer(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(closed.receive_all(), "");
  EXPECT_EQ(server->counts().connections_refused, 2U);
}

TEST_F(ServerTest, ServesOthersWhileSomeAreSlowSilentOrDeaf) {
  const std::string large(4'000'000, 'l');
  handler.on_handle = [&](Exchange& exchange) {
    const bool is_large = exchange.request().path == "/large";
    exchange.respond(200, "text/plain", is_large ? std::string_view(large) : "small");
  };
  start();
  std::vector<RawClient> others;
  for (int i = 0; i < 30; ++i) {
    others.push_back(connect());
    switch (i % 3) {
      case 0:
        others.back().send("GET /slow HTTP/1.1\r\nHo");  // A head that does not end.
        break;
      case 1:
        others.back().send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nb");
        break;
      default: {
        others.back().send(get("/large"));  // Nobody reads the answer, and more is asked for.
        for (int j = 0; j < 100; ++j) others.back().send_some(get("/large"));
        break;
      }
    }
  }
  RawClient client = connect();
  for (int i = 0; i < 100; ++i) {
    client.send(get("/"));
    ASSERT_THAT(client.receive_answer(), EndsWith("small"));
  }
  // The deaf ones are answered one request at a time.
  EXPECT_LE(server->counts().requests_total, 100U + 10 + 10 + 10);
  EXPECT_LE(server->counts().buffered_bytes, 10 * (large.size() + 64 * 1024) + 20 * 20'000);
}

TEST_F(ServerTest, CutsOffAClientThatSendsOneByteAtATime) {
  options.head_timeout_us = 50'000;
  options.max_head_bytes = 16 << 20;
  start();
  RawClient client = connect();
  client.send("GET /");
  while (server->counts().timeouts == 0 && client.send("a")) std::this_thread::yield();
  client.close_sending();
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(ServerTest, ClosesAnIdleConnection) {
  options.idle_timeout_us = 20'000;
  start();
  RawClient client = connect();
  client.send(get("/"));
  EXPECT_THAT(client.receive_answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(client.receive_all(), "");
}

TEST_F(ServerTest, StreamsEventsToItsClient) {
  std::atomic<Exchange*> stream = nullptr;
  Signal begun;
  handler.on_handle = [&](Exchange& exchange) {
    exchange.begin_stream(200, "text/event-stream");
    stream = &exchange;
    begun.set();
  };
  start();
  RawClient client = connect();
  client.send(get("/events"));
  begun.wait();
  Loop& loop = stream.load()->loop();
  for (int i = 0; i < 3; ++i) {
    loop.post([&] { EXPECT_TRUE(stream.load()->send("data\n\n")); });
  }
  loop.post([&] { stream.load()->finish_stream(); });
  const std::string text = client.receive_all();
  EXPECT_THAT(text, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\ndata\n\ndata\n\ndata\n\n"));
}

TEST_F(ServerTest, StopsAfterTheRequestsInFlight) {
  std::atomic<Exchange*> held = nullptr;
  Signal arrived;
  handler.on_handle = [&](Exchange& exchange) {
    held = &exchange;
    arrived.set();
  };
  start();
  RawClient idle = connect();
  RawClient busy = connect();
  busy.send(get("/"));
  arrived.wait();
  Loop& loop = held.load()->loop();
  std::thread stopper([&] { server->stop(20'000'000); });
  EXPECT_EQ(idle.receive_all(), "");  // Closed: the server is draining.
  ASSERT_TRUE(loop.post([&] { held.load()->respond(200, "text/plain", "finished"); }));
  const std::string answer = busy.receive_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("finished"));
  stopper.join();
  EXPECT_FALSE(RawClient(server->port()).is_connected());
  EXPECT_FALSE(loop.post([] {}));
  EXPECT_EQ(server->counts().connections_open, 0U);
  server->stop(0);  // Once more does nothing.
}

TEST_F(ServerTest, StopsInTimeWithoutTheAnswerThatDoesNotCome) {
  Signal arrived;
  handler.on_handle = [&](Exchange&) { arrived.set(); };
  start();
  RawClient client = connect();
  client.send(get("/"));
  arrived.wait();
  server->stop(1000);
  EXPECT_EQ(client.receive_all(), "");
  server.reset();
}

TEST_F(ServerTest, NeedNotRun) {
  auto created = Server::create(options, handler);
  ASSERT_TRUE(created);
  (*created)->stop(1000);
}

TEST_F(ServerTest, SaysThatAPortIsInUse) {
  start();
  ServerOptions same = options;
  same.port = server->port();
  const auto second = Server::create(same, handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  EXPECT_EQ(
      second.error().message,
      "port " + std::to_string(same.port) +
          " on 127.0.0.1 is in use; stop the other program or give another port with "
          "--listen HOST:PORT"
  );
}

TEST_F(ServerTest, SaysThatAnAddressIsNoneOfThisMachine) {
  for (const char* address : {"192.0.2.1", ""}) {
    options.address = address;
    const auto created = Server::create(options, handler);
    ASSERT_FALSE(created) << address;
    EXPECT_EQ(created.error().code, Code::invalid_argument);
    EXPECT_THAT(created.error().message, HasSubstr(address));
    EXPECT_THAT(created.error().message, HasSubstr("--listen HOST:PORT"));
  }
}

TEST_F(ServerTest, TakesTheSamePortAgainAtOnce) {
  start();
  RawClient client = connect();
  client.send(get("/", "Connection: close\r\n"));
  client.receive_all();
  options.port = server->port();
  server.reset();
  start();
  RawClient again = connect();
  again.send(get("/again"));
  EXPECT_THAT(again.receive_answer(), EndsWith("/again "));
}

TEST_F(ServerTest, NamesTheOptionThatMakesNoSense) {
  options.threads = 0;
  const auto created = Server::create(options, handler);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().message, "server option threads is 0; it must be between 1 and 256");
}

TEST_F(ServerTest, ServesWithSeveralLoops) {
  options.threads = 3;
  std::atomic<int> used_loops = 0;
  handler.on_handle = [&](Exchange& exchange) {
    used_loops |= 1 << exchange.loop().index();
    exchange.respond(200, "text/plain", "x");
  };
  start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        RawClient client = connect();
        for (int k = 0; k < 10; ++k) {
          client.send(get("/"));
          ASSERT_THAT(client.receive_answer(), StartsWith("HTTP/1.1 200 "));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  server->stop(1'000'000);
  EXPECT_EQ(server->counts().requests_total, 800U);
  EXPECT_EQ(server->counts().connections_total, 80U);
  EXPECT_NE(used_loops, 0);
}

}  // namespace
}  // namespace weir::http
