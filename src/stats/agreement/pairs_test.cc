#include "stats/agreement/pairs.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "stats/intervals/proportion.h"

namespace weir::stats {
namespace {

Pair scores(double served, double other) {
  return {.served_score = served, .other_score = other};
}
Pair labels(bool same) {
  return {.labels = same ? Pair::Labels::same : Pair::Labels::different};
}

TEST(Pairs, SaysHowManyAreWantedBelowTheMinimumAndGivesNumbersAtIt) {
  Pairs pairs;
  for (int i = 0; i < 29; ++i) pairs.add(labels(true));
  auto summary = pairs.summary();
  EXPECT_EQ(summary.wanted, 1u);
  EXPECT_FALSE(summary.labels);
  EXPECT_EQ(summary.text(), "not enough data, needs about 1 more");
  pairs.add(labels(false));
  summary = pairs.summary();
  EXPECT_EQ(summary.wanted, 0u);
  ASSERT_TRUE(summary.labels);
  EXPECT_EQ(summary.labels->n, 30u);
  EXPECT_EQ(summary.labels->agreed, 29u);
  EXPECT_FALSE(summary.scores);
  EXPECT_FALSE(summary.latency);
}

TEST(Pairs, GivesWilsonsIntervalForTheAgreement) {
  Pairs pairs;
  for (int i = 0; i < 1000; ++i) pairs.add(labels(i % 50 != 0));
  const auto summary = pairs.summary({.confidence = 0.9});
  EXPECT_DOUBLE_EQ(summary.labels->rate, 0.98);
  EXPECT_EQ(summary.labels->interval.low, wilson(980, 1000, 0.9).low);
  EXPECT_EQ(summary.labels->interval.high, wilson(980, 1000, 0.9).high);
  EXPECT_EQ(summary.text(), "98 % of 1,000 labels agree (90 % interval 97.13 to 98.61)");
}

TEST(Pairs, MeasuresScoresLikeTheFormulasOverAllPairs) {
  std::mt19937_64 random(17);
  std::uniform_real_distribution<double> uniform(0, 1);
  Pairs pairs;
  double absolute = 0;
  double squares = 0;
  double signed_sum = 0;
  double largest = 0;
  constexpr int n = 5000;
  for (int i = 0; i < n; ++i) {
    const double served = uniform(random);
    const double other = 0.9 * served + 0.02 * uniform(random);
    pairs.add(scores(served, other));
    const double d = other - served;
    absolute += std::fabs(d);
    squares += d * d;
    signed_sum += d;
    largest = std::max(largest, std::fabs(d));
  }
  const auto distance = pairs.summary().scores;
  ASSERT_TRUE(distance);
  EXPECT_EQ(distance->n, 5000u);
  EXPECT_NEAR(distance->mean_absolute, absolute / n, 1e-12);
  EXPECT_NEAR(distance->root_mean_square, std::sqrt(squares / n), 1e-12);
  EXPECT_NEAR(distance->mean_signed, signed_sum / n, 1e-12);
  EXPECT_EQ(distance->max_absolute, largest);
  EXPECT_LT(distance->mean_signed_interval.low, signed_sum / n);
  EXPECT_GT(distance->mean_signed_interval.high, signed_sum / n);
  // |d| is near uniform on [0, 0.1].
  EXPECT_NEAR(distance->p50_absolute, 0.04, 0.04 / 8 + 0.003);
  EXPECT_NEAR(distance->p99_absolute, 0.09, 0.09 / 8 + 0.003);
}

TEST(Pairs, GivesTheDifferenceAsOtherMinusServed) {
  Pairs pairs;
  for (int i = 0; i < 30; ++i) {
    Pair pair = scores(0.25, 0.75);
    pair.served_latency_ns = 10'000;
    pair.other_latency_ns = 4'000;
    pairs.add(pair);
  }
  const auto summary = pairs.summary();
  EXPECT_EQ(summary.scores->mean_signed, 0.5);
  EXPECT_EQ(summary.latency->mean_us, -6);
  EXPECT_NEAR(summary.latency->p50_us, -6, 6.0 / 8);
  EXPECT_EQ(summary.latency->n, 30u);
}

TEST(Pairs, CountsFailuresApartAndLooksAtNeitherOfTheirAnswers) {
  Pairs pairs;
  for (int i = 0; i < 6; ++i) {
    Pair pair = scores(0, 1);
    pair.labels = Pair::Labels::different;
    pair.served_ok = i >= 3;
    pair.other_ok = i >= 1 && i <= 2;
    pairs.add(pair);
  }
  const auto summary = pairs.summary({.min_pairs = 1});
  EXPECT_EQ(summary.both_failed, 1u);
  EXPECT_EQ(summary.only_served_failed, 2u);
  EXPECT_EQ(summary.only_other_failed, 3u);
  EXPECT_EQ(summary.pairs, 6u);
  EXPECT_FALSE(summary.labels);
  EXPECT_FALSE(summary.scores);
  EXPECT_EQ(summary.wanted, 2u);
}

TEST(Pairs, KeepsScoresThatAreNotNumbersOutOfTheMeans) {
  const double nan = std::nan("");
  Pairs pairs;
  for (int i = 0; i < 30; ++i) pairs.add(scores(0.5, 0.5));
  pairs.add(scores(nan, 0.5));
  pairs.add(scores(0.5, HUGE_VAL));
  pairs.add(scores(nan, nan));
  pairs.add(scores(-1e308, 1e308));
  const auto summary = pairs.summary();
  EXPECT_EQ(summary.only_one_finite, 2u);
  EXPECT_EQ(summary.scores->n, 30u);
  EXPECT_EQ(summary.scores->mean_absolute, 0);
  EXPECT_EQ(summary.scores->max_absolute, 0);
}

TEST(Pairs, MergedAreThoseOfOneStream) {
  std::mt19937_64 random(23);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Pairs whole;
  std::vector<Pairs> parts(4);
  for (std::size_t i = 0; i < 2000; ++i) {
    Pair pair = scores(uniform(random), uniform(random));
    pair.labels = i % 7 == 0 ? Pair::Labels::different : Pair::Labels::same;
    pair.other_ok = i % 11 != 0;
    pair.served_latency_ns = static_cast<std::int64_t>(i) * 100;
    pair.other_latency_ns = 50'000;
    whole.add(pair);
    parts[i % parts.size()].add(pair);
  }
  Pairs merged;
  for (const Pairs& part : parts) merged.merge(part);
  const auto one = whole.summary();
  const auto other = merged.summary();
  EXPECT_EQ(merged.count(), 2000u);
  EXPECT_EQ(one.only_other_failed, other.only_other_failed);
  EXPECT_EQ(one.labels->agreed, other.labels->agreed);
  EXPECT_NEAR(one.scores->mean_signed, other.scores->mean_signed, 1e-12);
  EXPECT_NEAR(one.scores->root_mean_square, other.scores->root_mean_square, 1e-12);
  EXPECT_EQ(one.scores->max_absolute, other.scores->max_absolute);
  EXPECT_EQ(one.scores->p90_absolute, other.scores->p90_absolute);
  EXPECT_NEAR(one.latency->mean_us, other.latency->mean_us, 1e-9);
  EXPECT_EQ(one.latency->p99_us, other.latency->p99_us);
}

TEST(Pairs, SaysSoWhenThereIsNothingToCompare) {
  Pairs pairs;
  for (int i = 0; i < 40; ++i) pairs.add({});
  EXPECT_EQ(pairs.summary().text(), "40 pairs without a label or score to compare");
}

}  // namespace
}  // namespace weir::stats
