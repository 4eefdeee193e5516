#include "metrics/instrument.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir::metrics {
namespace {

TEST(Counter, CountsEveryAdditionOfEveryThread) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10'000; ++k) counter.add(3);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 120'000u);
}

TEST(Gauge, GoesUpAndDown) {
  Gauge gauge;
  gauge.set(2.5);
  gauge.add(-4);
  EXPECT_EQ(gauge.value(), -1.5);
}

TEST(Histogram, PutsAValueOnABoundIntoTheBucketThatEndsThere) {
  Histogram histogram({{10, 20}, 1});
  for (const std::int64_t value : {-5, 9, 10, 11, 20, 21, 1000}) histogram.observe(value);
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.counts, (std::vector<std::uint64_t>{3, 2, 2}));
  EXPECT_EQ(snapshot.count, 7u);
  EXPECT_EQ(snapshot.sum, -5 + 9 + 10 + 11 + 20 + 21 + 1000);
}

TEST(Histogram, LosesNoObservationOfAnyThread) {
  Histogram histogram(latency_buckets());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 10'000; ++k) histogram.observe(i * 1'000'000 + 1);
    });
  }
  for (auto& thread : threads) thread.join();
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 40'000u);
  EXPECT_EQ(snapshot.sum, 10'000ll * (6'000'000 + 4));
}

TEST(Histogram, InterpolatesAQuantileWithinItsBucket) {
  Histogram histogram({{100, 200, 400}, 1});
  for (int i = 0; i < 10; ++i) histogram.observe(150);
  for (int i = 0; i < 10; ++i) histogram.observe(300);
  const auto snapshot = histogram.snapshot();
  EXPECT_DOUBLE_EQ(snapshot.quantile(0.25), 150);
  EXPECT_DOUBLE_EQ(snapshot.quantile(0.5), 200);
  EXPECT_DOUBLE_EQ(snapshot.quantile(0.75), 300);
  EXPECT_DOUBLE_EQ(snapshot.quantile(1), 400);
}

TEST(Histogram, GivesItsLastBoundForAQuantileBeyondIt) {
  Histogram histogram({{100}, 1});
  EXPECT_EQ(histogram.snapshot().quantile(0.5), 0);
  histogram.observe(1'000'000);
  EXPECT_EQ(histogram.snapshot().quantile(0.5), 100);
}

TEST(Histogram, TakesAsManyBoundsAsItHasRoomForAndNoMore) {
  Buckets buckets{{}, 1};
  for (std::int64_t i = 1; i < static_cast<std::int64_t>(Histogram::max_buckets); ++i) {
    buckets.bounds.push_back(i);
  }
  Histogram histogram(buckets);
  histogram.observe(1000);
  EXPECT_EQ(histogram.snapshot().counts.back(), 1u);
  buckets.bounds.push_back(1000);
  EXPECT_DEATH(Histogram{buckets}, "fixed room");
}

TEST(Histogram, RefusesBoundsThatDoNotAscend) {
  EXPECT_DEATH(Histogram({{1, 1}, 1}), "ascend");
}

TEST(Histogram, LatencyBucketsReachFromFiftyMicrosecondsToTenSeconds) {
  EXPECT_EQ(latency_buckets().bounds.front(), 50'000);
  EXPECT_EQ(latency_buckets().bounds.back(), 10'000'000'000);
  EXPECT_EQ(latency_buckets().bounds.size(), 17u);
}

}  // namespace
}  // namespace weir::metrics
