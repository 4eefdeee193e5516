#include "serve/rate_limit.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

TEST(RateLimit, LetsABurstThroughAndThenTheRate) {
  RateLimit limit({.per_second = 2, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limit.wait_ns("a", 0));
  const auto wait = limit.wait_ns("a", 0);
  ASSERT_TRUE(wait);
  EXPECT_NEAR(static_cast<double>(*wait), 0.5 * second_ns, 10);
  EXPECT_TRUE(limit.wait_ns("a", *wait - 10));
  EXPECT_FALSE(limit.wait_ns("a", *wait));
  EXPECT_TRUE(limit.wait_ns("a", *wait));
  EXPECT_EQ(limit.refused(), 3U);
}

TEST(RateLimit, NeverHoldsMoreThanABurst) {
  RateLimit limit({.per_second = 100, .burst = 2});
  EXPECT_FALSE(limit.wait_ns("a", 0));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(limit.wait_ns("a", 1000 * second_ns));
  EXPECT_TRUE(limit.wait_ns("a", 1000 * second_ns));
}

TEST(RateLimit, KeepsClientsApart) {
  RateLimit limit({.per_second = 1, .burst = 1});
  EXPECT_FALSE(limit.wait_ns("a", 0));
  EXPECT_TRUE(limit.wait_ns("a", 0));
  EXPECT_FALSE(limit.wait_ns("b", 0));
  EXPECT_FALSE(limit.wait_ns("", 0));
  EXPECT_EQ(limit.clients(), 3U);
}

TEST(RateLimit, AllowsLessThanOneASecond) {
  RateLimit limit({.per_second = 0.01, .burst = 1});
  EXPECT_FALSE(limit.wait_ns("a", 0));
  EXPECT_TRUE(limit.wait_ns("a", 99 * second_ns));
  EXPECT_FALSE(limit.wait_ns("a", 101 * second_ns));
}

TEST(RateLimit, DoesNotGiveTokensForAClockThatGoesBack) {
  RateLimit limit({.per_second = 1, .burst = 1});
  EXPECT_FALSE(limit.wait_ns("a", 10 * second_ns));
  EXPECT_TRUE(limit.wait_ns("a", 5 * second_ns));
  EXPECT_TRUE(limit.wait_ns("a", 10 * second_ns));
}

TEST(RateLimit, ForgetsWhoWasSeenLongestAgo) {
  // One bucket in each shard: any two clients of a shard push each other out.
  RateLimit limit({.per_second = 0.001, .burst = 1, .max_clients = 16});
  EXPECT_FALSE(limit.wait_ns("a", 0));
  EXPECT_TRUE(limit.wait_ns("a", 0));
  for (int i = 0; i < 10'000; ++i) limit.wait_ns(std::to_string(i), 0);
  EXPECT_LE(limit.clients(), 16U);
  EXPECT_FALSE(limit.wait_ns("a", 0));
}

TEST(RateLimit, KeepsWhoComesBackInTime) {
  RateLimit limit({.per_second = 0.001, .burst = 1, .max_clients = 1600});
  EXPECT_FALSE(limit.wait_ns("a", 0));
  for (int i = 0; i < 100'000; ++i) {
    limit.wait_ns(std::to_string(i), 0);
    // With a hundred buckets in its shard it is seen long before it is the oldest.
    if (i % 100 == 0) {
      ASSERT_TRUE(limit.wait_ns("a", 0)) << i;
    }
  }
  EXPECT_EQ(limit.clients(), 1600U);
}

TEST(RateLimit, CountsRightWithManyThreads) {
  RateLimit limit({.per_second = 0.000001, .burst = 1000});
  std::vector<std::thread> threads;
  std::atomic<int> passed = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) passed += limit.wait_ns("a", 0) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 1000);
  EXPECT_EQ(limit.refused(), 3000U);
}

}  // namespace
}  // namespace weir::serve
