#include "stats/sketches/log_histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace weir::stats {
namespace {

double exact_quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank =
      static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values.size())))
      );
  return values[rank - 1];
}

TEST(LogHistogram, GivesQuantilesWithinAnEighthOverManyMagnitudes) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> spread(0, 4);
  std::vector<double> values;
  LogHistogram histogram;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(spread(random));
    histogram.add(values.back());
  }
  for (const double share : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = exact_quantile(values, share);
    EXPECT_NEAR(histogram.quantile(share), exact, exact / 8) << share;
  }
}

TEST(LogHistogram, PutsZeroTheTinyAndTheHugeIntoBucketsOfTheirOwn) {
  LogHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  histogram.add(0);
  histogram.add(-3);
  histogram.add(1e-300);
  histogram.add(1e300);
  histogram.add(HUGE_VAL);
  EXPECT_EQ(histogram.quantile(0.6), 0);
  EXPECT_EQ(histogram.quantile(0.61), std::ldexp(1.0, 32));
  EXPECT_EQ(histogram.count(), 5u);
}

TEST(LogHistogram, CountsTheEndsOfItsRangeOnTheRightSide) {
  for (int exponent = -32; exponent < 32; ++exponent) {
    for (int part = 0; part < 4; ++part) {
      LogHistogram histogram;
      const double low = std::ldexp(1 + part / 4.0, exponent);
      histogram.add(low);
      EXPECT_DOUBLE_EQ(histogram.quantile(1), std::ldexp(1 + part / 4.0 + 0.125, exponent));
    }
  }
}

TEST(LogHistogram, MergedIsThatOfOneStream) {
  LogHistogram whole;
  LogHistogram left;
  LogHistogram right;
  for (int i = 0; i < 1000; ++i) {
    const double value = i * i * 0.001;
    whole.add(value);
    (i % 3 == 0 ? left : right).add(value);
  }
  left.merge(right);
  EXPECT_EQ(left.count(), 1000u);
  for (double share = 0; share <= 1; share += 0.05) {
    EXPECT_EQ(left.quantile(share), whole.quantile(share));
  }
}

TEST(SignedLogHistogram, GivesQuantilesAcrossZero) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(20, 100);
  std::vector<double> values;
  SignedLogHistogram histogram;
  SignedLogHistogram half;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(normal(random));
    (i % 2 == 0 ? histogram : half).add(values.back());
  }
  histogram.merge(half);
  EXPECT_EQ(histogram.count(), 10'000u);
  for (const double share : {0.0, 0.05, 0.3, 0.42, 0.5, 0.95, 1.0}) {
    const double exact = exact_quantile(values, share);
    EXPECT_NEAR(histogram.quantile(share), exact, std::fabs(exact) / 8) << share;
  }
}

}  // namespace
}  // namespace weir::stats
