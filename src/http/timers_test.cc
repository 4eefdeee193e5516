#include "http/timers.h"

#include <vector>

#include <gtest/gtest.h>

namespace weir::http {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

TEST(Waits, ExpireWhenTheirTimeIsUpAndNotBefore) {
  ServerOptions options;
  options.head_timeout_us = 2'000'000;
  options.body_timeout_us = 5'000'000;
  Waits waits(options);
  EXPECT_EQ(waits.next_deadline_ns(), INT64_MAX);
  Waiter first;
  Waiter second;
  waits.set(first, Wait::body, 0);
  waits.set(second, Wait::head, second_ns);
  EXPECT_EQ(waits.next_deadline_ns(), 3 * second_ns);
  EXPECT_EQ(waits.expired(3 * second_ns - 1), nullptr);
  EXPECT_EQ(waits.expired(3 * second_ns), &second);
  waits.set(second, Wait::head, 4 * second_ns);
  EXPECT_EQ(waits.expired(5 * second_ns), &first);
  waits.remove(first);
  EXPECT_EQ(waits.expired(6 * second_ns), &second);
  waits.remove(second);
  waits.remove(second);
  EXPECT_EQ(waits.next_deadline_ns(), INT64_MAX);
}

TEST(Waits, NeverExpireForTheHandler) {
  Waits waits{ServerOptions()};
  Waiter waiter;
  waits.set(waiter, Wait::handler, second_ns);
  EXPECT_EQ(waits.expired(INT64_MAX - 1), nullptr);
  EXPECT_EQ(waits.next_deadline_ns(), INT64_MAX);
  waits.remove(waiter);
}

TEST(Waits, VisitEachOnceWhileItMovesOrLeaves) {
  Waits waits{ServerOptions()};
  std::vector<Waiter> waiters(20);
  for (std::size_t i = 0; i < waiters.size(); ++i) {
    waits.set(waiters[i], static_cast<Wait>(i % wait_count), 0);
  }
  std::vector<int> visits(waiters.size());
  waits.for_each([&](Waiter& waiter) {
    const auto i = static_cast<std::size_t>(&waiter - waiters.data());
    ++visits[i];
    if (i % 3 == 0) waits.remove(waiter);
    if (i % 3 == 1) waits.set(waiter, Wait::linger, second_ns);
  });
  EXPECT_EQ(visits, std::vector<int>(waiters.size(), 1));
  int left = 0;
  waits.for_each([&](Waiter& waiter) {
    ++left;
    waits.remove(waiter);
  });
  EXPECT_EQ(left, 13);
}

}  // namespace
}  // namespace weir::http
