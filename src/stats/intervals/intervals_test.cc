#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "stats/intervals/mean.h"
#include "stats/intervals/proportion.h"

namespace weir::stats {
namespace {

TEST(Proportion, SaysNothingWithoutTrials) {
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
  EXPECT_EQ(clopper_pearson(0, 0).low, 0);
  EXPECT_EQ(clopper_pearson(0, 0).high, 1);
}

TEST(Proportion, EndsExactlyAtZeroAndOne) {
  for (const std::uint64_t n : {1u, 7u, 1000u, 4'000'000'000u}) {
    EXPECT_EQ(wilson(0, n).low, 0);
    EXPECT_EQ(wilson(n, n).high, 1);
    EXPECT_EQ(clopper_pearson(0, n).low, 0);
    EXPECT_EQ(clopper_pearson(n, n).high, 1);
  }
}

TEST(Proportion, IsSymmetricAndHoldsTheShareAndNarrowsWithN) {
  for (std::uint64_t n = 1; n <= 60; ++n) {
    for (std::uint64_t k = 0; k <= n; ++k) {
      const Interval one = wilson(k, n);
      const Interval other = wilson(n - k, n);
      EXPECT_NEAR(one.low, 1 - other.high, 1e-12);
      const double share = static_cast<double>(k) / static_cast<double>(n);
      EXPECT_LE(one.low, share);
      EXPECT_GE(one.high, share);
      const Interval more = wilson(10 * k, 10 * n);
      EXPECT_LT(more.high - more.low, one.high - one.low);
      const Interval exact = clopper_pearson(k, n);
      EXPECT_LE(exact.low, share);
      EXPECT_GE(exact.high, share);
    }
  }
}

// The exact coverage, by summing the binomial distribution, at n = 40.
TEST(Proportion, CoversAsItClaims) {
  constexpr std::uint64_t n = 40;
  double wilson_sum = 0;
  int points = 0;
  for (double p = 0.01; p < 1; p += 0.01) {
    double covered_wilson = 0;
    double covered_exact = 0;
    for (std::uint64_t k = 0; k <= n; ++k) {
      const auto x = static_cast<double>(k);
      const double mass = std::exp(
          std::lgamma(n + 1.0) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + x * std::log(p) +
          (n - x) * std::log1p(-p)
      );
      const Interval narrow = wilson(k, n);
      const Interval exact = clopper_pearson(k, n);
      if (narrow.low <= p && p <= narrow.high) covered_wilson += mass;
      if (exact.low <= p && p <= exact.high) covered_exact += mass;
    }
    EXPECT_GE(covered_exact, 0.95) << p;
    wilson_sum += covered_wilson;
    ++points;
  }
  EXPECT_NEAR(wilson_sum / points, 0.95, 0.01);
}

TEST(Moments, MatchTheTwoPassFormulasAlsoFarFromZero) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(1e9, 2);
  std::vector<double> values;
  Moments moments;
  for (int i = 0; i < 5000; ++i) {
    values.push_back(normal(random));
    moments.add(values.back());
  }
  long double sum = 0;
  for (const double value : values) sum += value;
  const long double mean = sum / 5000;
  long double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  EXPECT_NEAR(moments.mean(), static_cast<double>(mean), 1e-6);
  EXPECT_NEAR(moments.variance(), static_cast<double>(squares / 4999), 1e-6);
}

TEST(Moments, MergedAreThoseOfOneStream) {
  for (const int cut : {0, 1, 50, 99, 100}) {
    Moments whole;
    Moments left;
    Moments right;
    for (int i = 0; i < 100; ++i) {
      const double value = std::sin(i) * i;
      whole.add(value);
      (i < cut ? left : right).add(value);
    }
    left.merge(right);
    EXPECT_EQ(left.count(), whole.count());
    EXPECT_NEAR(left.mean(), whole.mean(), 1e-10);
    EXPECT_NEAR(left.variance(), whole.variance(), 1e-9);
  }
}

TEST(MeanInterval, IsAbsentBelowItsMinimumAndThereAtIt) {
  Moments moments;
  for (int i = 0; i < 29; ++i) moments.add(i);
  EXPECT_FALSE(mean_interval(moments));
  moments.add(29);
  const auto interval = mean_interval(moments);
  ASSERT_TRUE(interval);
  // 14.5 ± 1.959964 · sqrt(77.5 / 30)
  EXPECT_NEAR(interval->low, 14.5 - 3.150201, 1e-5);
  EXPECT_NEAR(interval->high, 14.5 + 3.150201, 1e-5);
}

TEST(MeanInterval, CoversTheTrueMeanAboutAsOftenAsItClaims) {
  std::mt19937_64 random(11);
  std::exponential_distribution<double> exponential(1);
  int covered = 0;
  for (int run = 0; run < 2000; ++run) {
    Moments moments;
    for (int i = 0; i < 200; ++i) moments.add(exponential(random));
    const auto interval = mean_interval(moments);
    if (interval->low <= 1 && 1 <= interval->high) ++covered;
  }
  // Three standard errors of a binomial around 0.94, what skewness leaves of 0.95 at n = 200.
  EXPECT_NEAR(covered / 2000.0, 0.94, 0.016);
}

}  // namespace
}  // namespace weir::stats
