#include "app/handover.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/listener.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

class HandoverTest : public testing::Test {
 protected:
  HandoverTest() {
    // Longer than the address of a socket may be.
    folder = fs::temp_directory_path() /
             ("weir_handover_" + std::to_string(::getpid()) + std::string(120, 'x'));
    fs::create_directories(folder);
  }
  ~HandoverTest() override { fs::remove_all(folder); }

  fs::path folder;
};

TEST_F(HandoverTest, GivesTheListeningSocketToWhoAsks) {
  auto listener = http::Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  auto handover = Handover::open(folder.string());
  ASSERT_TRUE(handover) << handover.error().message;
  std::thread old([&] {
    pollfd waiting{.fd = handover->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, -1);
    EXPECT_TRUE(handover->give({.http = listener->descriptor()}));
  });
  const auto taken = take_listeners(folder.string());
  old.join();
  ASSERT_TRUE(taken) << taken.error().message;
  ASSERT_TRUE(taken->has_value());
  auto adopted = http::Listener::adopt((*taken)->http);
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_EQ(adopted->port(), listener->port());
  EXPECT_EQ(adopted->address(), "127.0.0.1");
  EXPECT_EQ((*taken)->grpc, -1);
}

TEST_F(HandoverTest, GivesTheSocketOfGrpcTooWhereThereIsOne) {
  auto http = http::Listener::open("127.0.0.1", 0);
  auto grpc = http::Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(http && grpc);
  auto handover = Handover::open(folder.string());
  ASSERT_TRUE(handover) << handover.error().message;
  std::thread old([&] {
    pollfd waiting{.fd = handover->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, -1);
    EXPECT_TRUE(handover->give({.http = http->descriptor(), .grpc = grpc->descriptor()}));
  });
  const auto taken = take_listeners(folder.string());
  old.join();
  ASSERT_TRUE(taken && taken->has_value());
  auto first = http::Listener::adopt((*taken)->http);
  auto second = http::Listener::adopt((*taken)->grpc);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->port(), http->port());
  EXPECT_EQ(second->port(), grpc->port());
}

TEST_F(HandoverTest, FindsNobodyWhereNoServerIs) {
  auto taken = take_listeners(folder.string());
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_FALSE(taken->has_value());
  taken = take_listeners((folder / "missing").string());
  ASSERT_TRUE(taken);
  EXPECT_FALSE(taken->has_value());
}

TEST_F(HandoverTest, LeavesNoSocketBehindAndReplacesOneThatWasLeft) {
  { ASSERT_TRUE(Handover::open(folder.string())); }
  EXPECT_TRUE(fs::is_empty(folder));
  { std::ofstream(folder / "handover.sock"); }
  EXPECT_TRUE(Handover::open(folder.string()));
}

TEST_F(HandoverTest, SaysSoWhenTheOldServerEndsInstead) {
  auto handover = Handover::open(folder.string());
  ASSERT_TRUE(handover);
  std::thread old([&] {
    pollfd waiting{.fd = handover->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, -1);
    const Handover ended = *std::move(handover);
  });
  const auto taken = take_listeners(folder.string());
  old.join();
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find("--take-over"), std::string::npos);
}

}  // namespace
}  // namespace weir::app
