#include "http/arrivals.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

constexpr std::int64_t ms = 1'000'000;

// As many wait as are asked for, the first since `begin_ns`.
Arrivals filled(std::int64_t max_backlog_us, std::size_t count, std::int64_t begin_ns) {
  Arrivals arrivals({.max_backlog_us = max_backlog_us});
  for (int i = 0; i < 400; ++i) arrivals.push({nullptr, 0});
  for (int i = 0; i < 400; ++i) arrivals.pop(i * ms);
  arrivals.rest(400 * ms);
  for (std::size_t i = 0; i < count; ++i) arrivals.push({nullptr, begin_ns});
  return arrivals;
}

TEST(Arrivals, AreServedInTheOrderInWhichTheyWereSeen) {
  Arrivals arrivals({});
  arrivals.push({nullptr, 1});
  arrivals.push({nullptr, 2});
  EXPECT_EQ(arrivals.pop(3).seen_ns, 1);
  EXPECT_EQ(arrivals.pop(4).seen_ns, 2);
  EXPECT_TRUE(arrivals.is_empty());
}

TEST(Arrivals, OneTooManyIsToldHowLongItWouldWait) {
  const std::int64_t now_ns = 1000 * ms;
  EXPECT_EQ(filled(100'000, 99, 900 * ms).too_long_ns(now_ns), 0);
  const std::int64_t wait_ns = filled(100'000, 101, 900 * ms).too_long_ns(now_ns);
  EXPECT_GT(wait_ns, 100 * ms);
  EXPECT_LE(wait_ns, 101 * ms);
}

TEST(Arrivals, ABurstHasToProveItselfSlowFirst) {
  const std::int64_t now_ns = 1000 * ms;
  EXPECT_EQ(filled(100'000, 500, now_ns).too_long_ns(now_ns), 0);
  EXPECT_EQ(filled(100'000, 500, now_ns).too_long_ns(now_ns + 12 * ms), 0);
  EXPECT_GT(filled(100'000, 500, now_ns).too_long_ns(now_ns + 13 * ms), 0);
}

TEST(Arrivals, WhatIsDoneBetweenTwoTurnsCounts) {
  Arrivals arrivals = filled(100'000, 200, 0);
  for (int i = 0; i < 100; ++i) arrivals.pop(i * 3 * ms);
  EXPECT_GT(arrivals.too_long_ns(300 * ms), 250 * ms);
}

TEST(Arrivals, WithoutALimitNobodyIsRefusedAndNothingIsLong) {
  const Arrivals arrivals = filled(0, 100'000, 0);
  EXPECT_EQ(arrivals.too_long_ns(1'000'000 * ms), 0);
  EXPECT_FALSE(arrivals.is_long(1'000'000 * ms));
}

TEST(Arrivals, HalfOfTheLimitIsLong) {
  const Arrivals arrivals({.max_backlog_us = 100'000});
  EXPECT_FALSE(arrivals.is_long(50 * ms));
  EXPECT_TRUE(arrivals.is_long(51 * ms));
}

}  // namespace
}  // namespace weir::http
