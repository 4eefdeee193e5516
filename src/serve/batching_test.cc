#include "serve/batching.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

using Mode = BatchingOptions::Mode;

TEST(Batching, OffLeavesAtOnce) {
  EXPECT_EQ(leave_at_ns({}, {.requests = 1, .rows = 1, .oldest_ns = 7, .newest_ns = 7}, 1e6), 7);
}

TEST(Batching, FixedWaitsForRowsOrForTheDelayOfTheOldest) {
  const BatchingOptions options{.mode = Mode::fixed, .max_rows = 4, .max_delay_us = 2};
  EXPECT_EQ(
      leave_at_ns(options, {.requests = 1, .rows = 3, .oldest_ns = 5, .newest_ns = 9}, 0), 2005
  );
  EXPECT_EQ(leave_at_ns(options, {.requests = 1, .rows = 4, .oldest_ns = 5, .newest_ns = 9}, 0), 5);
}

TEST(Batching, AutoDoesNotWaitWhenRequestsAreRare) {
  const BatchingOptions options{.mode = Mode::learn};
  const Waiting waiting{
      .requests = 1, .rows = 1, .oldest_ns = 50, .newest_ns = 50, .gap_ns = 1'000'000};
  EXPECT_EQ(leave_at_ns(options, waiting, 400'000), 50);
}

TEST(Batching, AutoWaitsForABurstUntilItIsOver) {
  const BatchingOptions options{.mode = Mode::learn};
  Waiting waiting{
      .requests = 10, .rows = 10, .oldest_ns = 0, .newest_ns = 90'000, .gap_ns = 10'000};
  EXPECT_EQ(leave_at_ns(options, waiting, 400'000), 110'000);
  // Never longer than the fixed cost.
  waiting.newest_ns = 395'000;
  EXPECT_EQ(leave_at_ns(options, waiting, 400'000), 400'000);
  // With enough of them, one more is not worth the wait of all.
  waiting.requests = 40;
  EXPECT_EQ(leave_at_ns(options, waiting, 400'000), 0);
}

TEST(Batching, AutoLeavesWhenTheBatchIsFull) {
  const BatchingOptions options{.mode = Mode::learn, .max_rows = 8};
  const Waiting waiting{.requests = 8, .rows = 8, .oldest_ns = 3, .newest_ns = 4, .gap_ns = 1};
  EXPECT_EQ(leave_at_ns(options, waiting, 400'000), 3);
}

}  // namespace
}  // namespace weir::serve
