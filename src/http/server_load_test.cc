#include <atomic>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "http/server_fixture.h"

// Clients that come faster than they can be answered, and clients that do not wait.

namespace weir::http {
namespace {

using testing::EndsWith;

// The loop stands in one request for longer than all may wait, so that it learns what a turn takes.
TEST_F(ServerTest, TellsThoseAtOnceWhoWouldWaitTooLong) {
  options.arrivals.max_backlog_us = 1000;
  std::atomic<int> refused = 0;
  handler.on_handle = [&](Exchange& exchange) {
    if (exchange.request().ahead_ns > 0) {
      ++refused;
      exchange.respond(503, "text/plain", "later");
      return;
    }
    const std::int64_t until_ns = monotonic_ns() + 3'000'000;
    while (monotonic_ns() < until_ns) {
    }
    exchange.respond(200, "text/plain", exchange.request().is_behind ? "late" : "soon");
  };
  start();
  std::vector<std::thread> clients;
  std::atomic<int> late = 0;
  std::atomic<int> soon = 0;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      RawClient client = connect();
      while (refused < 3 || late < 3) {
        client.send(get("/"));
        const std::string answer = client.receive_answer();
        if (answer.ends_with("late")) ++late;
        if (answer.ends_with("soon")) ++soon;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GE(refused, 3);
  EXPECT_GE(late, 3);

  // Alone, nobody waits.
  RawClient client = connect();
  client.send(get("/"));
  EXPECT_THAT(client.receive_answer(), EndsWith("soon"));
}

TEST_F(ServerTest, TellsTheHandlerAtOnceThatAWaitingClientHasGone) {
  Signal has_arrived;
  Signal has_gone;
  Exchange* held = nullptr;
  handler.on_handle = [&](Exchange& exchange) {
    held = &exchange;
    has_arrived.set();
  };
  handler.when_lost = [&](Exchange& exchange) {
    EXPECT_EQ(&exchange, held);
    EXPECT_FALSE(exchange.is_connected());
    exchange.respond(200, "text/plain", "nobody reads this");
    has_gone.set();
  };
  start();
  {
    RawClient client = connect();
    client.send(get("/"));
    has_arrived.wait();
  }
  has_gone.wait();
  wait_for([](const ServerCounts& counts) { return counts.connections_open == 0; });
}

}  // namespace
}  // namespace weir::http
