#include "http/loop.h"

#include <cerrno>
#include <latch>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/listener.h"
#include "http/raw_client.h"

namespace weir::http {
namespace {

class ShortHandler final : public Handler {
 public:
  Admission admit(const Request&, std::uint64_t) override { return {}; }
  void handle(Exchange& exchange) override { exchange.respond(200, "text/plain", "short"); }
};

// The next calls of the loop to accept fail with that error.
std::atomic<int> failures_left = 0;
std::atomic<int> failure = 0;

int accept_sometimes(int listener, sockaddr* address, socklen_t* size, int flags) {
  if (failures_left > 0) {
    --failures_left;
    errno = failure;
    return -1;
  }
  return ::accept4(listener, address, size, flags);
}

TEST(EventLoop, AcceptsAgainAfterTheSystemHadNoFileOrMemory) {
  ShortHandler handler;
  Result<Listener> listener = Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  ServerShared shared(ServerOptions(), handler, listener->descriptor());
  shared.accept = accept_sometimes;
  auto loop = EventLoop::create(shared, 0);
  ASSERT_TRUE(loop);
  std::uint64_t failed = 0;
  std::thread thread([&] { (*loop)->run(); });
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED}) {
    failure = error;
    failures_left = 1;
    RawClient client(listener->port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.receive_answer(), testing::EndsWith("short")) << error;
    // A client that gave up before it was accepted is nobody's fault.
    failed += error == ECONNABORTED ? 0 : 1;
    EXPECT_EQ((*loop)->counts().accept_failures.value(), failed);
  }
  std::latch has_let_go(1);
  (*loop)->drain(0, has_let_go);
  thread.join();
}

TEST(EventLoop, DropsWhatWasPostedAfterItsEnd) {
  ShortHandler handler;
  Result<Listener> listener = Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  ServerShared shared(ServerOptions(), handler, listener->descriptor());
  auto loop = EventLoop::create(shared, 3);
  ASSERT_TRUE(loop);
  EXPECT_EQ((*loop)->index(), 3U);
  std::vector<int> order;
  std::latch has_let_go(1);
  EXPECT_TRUE((*loop)->post([&] {
    order.push_back(1);
    EXPECT_TRUE((*loop)->post([&] { order.push_back(3); }));
  }));
  EXPECT_TRUE((*loop)->post([&] { order.push_back(2); }));
  // The end comes after all that was posted before it.
  EXPECT_TRUE((*loop)->post([&] {
    EXPECT_TRUE((*loop)->post([&] { (*loop)->drain(0, has_let_go); }));
  }));
  (*loop)->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE((*loop)->post([&] { order.push_back(4); }));
  EXPECT_EQ(order.size(), 3U);
}

}  // namespace
}  // namespace weir::http
