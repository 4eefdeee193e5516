#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "stats/sequential/count_eprocess.h"
#include "stats/sequential/sample_ratio.h"

namespace weir::stats {
namespace {

TEST(CountEprocess, MatchesTheTableOfItsReference) {
  struct Row {
    std::uint64_t x, n;
    double a, b, theta, log_e;
  };
  for (const Row& row : {
           Row{0, 10, 0.5, 9.5, 0.05, 0.146629324921},
           Row{1, 1, 0.5, 9.5, 0.05, 0},
           Row{5, 10, 0.5, 9.5, 0.05, 4.255952578176},
           Row{20, 100, 0.5, 9.5, 0.05, 11.174550229848},
           Row{60, 1000, 0.5, 9.5, 0.05, -1.562309574796},
           Row{7, 10, 0.5, 0.5, 0.5, -0.582332814220},
           Row{40, 60, 1, 1, 0.5, 1.506039721263},
       }) {
    EXPECT_NEAR(log_count_e_value(row.x, row.n, row.a, row.b, row.theta), row.log_e, 1e-11);
  }
}

TEST(CountEprocess, HasMeanOneUnderEqualRates) {
  // Exactly: the sum of E over the binomial distribution.
  for (const double theta : {0.01, 0.05, 0.5, 0.93}) {
    constexpr std::uint64_t n = 30;
    double mean = 0;
    for (std::uint64_t x = 0; x <= n; ++x) {
      const auto k = static_cast<double>(x);
      const double log_mass = std::lgamma(n + 1.0) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                              k * std::log(theta) + (n - k) * std::log1p(-theta);
      mean += std::exp(log_mass + log_count_e_value(x, n, 10 * theta, 10 * (1 - theta), theta));
    }
    EXPECT_NEAR(mean, 1, 1e-10);
  }
}

TEST(CountEprocess, CriesWolfNoMoreOftenThanAlphaHoweverOftenItIsRead) {
  std::mt19937_64 random(1);
  std::bernoulli_distribution event(0.05);
  int alarms = 0;
  for (int run = 0; run < 1000; ++run) {
    CountEprocess process;
    process.start_segment(0.05);
    for (int i = 0; i < 300; ++i) process.add(event(random) ? 1 : 0, 1);
    if (process.p_value() <= 0.05) ++alarms;
  }
  EXPECT_LE(alarms, 50);
}

TEST(CountEprocess, FindsAnArmWithFiveTimesTheErrors) {
  std::mt19937_64 random(2);
  // One percent of errors, five in the arm that gets five percent of the requests.
  const double share_of_errors = 0.05 * 5 / (0.05 * 5 + 0.95);
  std::bernoulli_distribution event(share_of_errors);
  CountEprocess process;
  process.start_segment(0.05);
  for (int i = 0; i < 300; ++i) process.add(event(random) ? 1 : 0, 1);
  EXPECT_LE(process.p_value(), 0.01);
  EXPECT_TRUE(process.is_above());
}

TEST(CountEprocess, KnowsOnWhichSideItIs) {
  CountEprocess process;
  process.start_segment(0.5);
  process.add(5, 100);
  EXPECT_LE(process.p_value(), 0.001);
  EXPECT_FALSE(process.is_above());
}

TEST(CountEprocess, KeepsItsEvidenceWhenTheShareChanges) {
  CountEprocess process;
  process.start_segment(0.05);
  process.add(20, 100);
  const double before = process.log_e();
  process.start_segment(0.25);
  EXPECT_EQ(process.log_e(), before);
  EXPECT_EQ(process.max_log_e(), before);
  process.add(2, 8);
  EXPECT_EQ(process.x(), 22u);
  EXPECT_EQ(process.n(), 108u);
}

TEST(CountEprocess, DrawsNothingFromASegmentWithOneArm) {
  CountEprocess process;
  process.add(1, 1);
  process.start_segment(0);
  process.add(0, 10);
  process.start_segment(1);
  process.add(10, 10);
  EXPECT_EQ(process.log_e(), 0);
  EXPECT_EQ(process.p_value(), 1);
  EXPECT_EQ(process.n(), 0u);
}

TEST(SampleRatio, WantsEnoughRequestsFirst) {
  SampleRatio ratio({.min_count = 10});
  ratio.start_segment(0.5);
  ratio.add(4, 5);
  EXPECT_EQ(ratio.verdict(), SampleRatio::Verdict::not_enough_data);
  EXPECT_EQ(ratio.text(), "not enough data, needs about 1 more");
  ratio.add(1, 0);
  EXPECT_EQ(ratio.verdict(), SampleRatio::Verdict::fits);
}

TEST(SampleRatio, AcceptsAFairSplitThroughAllStages) {
  std::mt19937_64 random(3);
  SampleRatio ratio;
  for (const double share : {0.0, 0.05, 0.25, 0.5, 1.0}) {
    ratio.start_segment(share);
    std::bernoulli_distribution arm(share);
    for (int i = 0; i < 20'000; ++i) {
      const bool candidate = arm(random);
      ratio.add(candidate ? 1 : 0, candidate ? 0 : 1);
    }
    EXPECT_EQ(ratio.verdict(), SampleRatio::Verdict::fits) << ratio.text();
  }
}

TEST(SampleRatio, FindsASplitThatIsOffByATenth) {
  std::mt19937_64 random(4);
  SampleRatio ratio;
  ratio.start_segment(0.25);
  std::bernoulli_distribution arm(0.275);
  for (int i = 0; i < 20'000; ++i) {
    const bool candidate = arm(random);
    ratio.add(candidate ? 1 : 0, candidate ? 0 : 1);
  }
  EXPECT_EQ(ratio.verdict(), SampleRatio::Verdict::differs);
  EXPECT_EQ(ratio.text().substr(0, 9), "differs: ");
}

TEST(SampleRatio, IsCertainWhenAnArmWithoutAShareAnswers) {
  SampleRatio nobody;
  nobody.start_segment(0);
  nobody.add(1, 0);
  EXPECT_EQ(nobody.verdict(), SampleRatio::Verdict::differs);
  SampleRatio everybody;
  everybody.start_segment(1);
  everybody.add(0, 1);
  EXPECT_EQ(everybody.p_value(), 0);
}

TEST(ChiSquare, CountsOnlyArmsThatHaveAShare) {
  const std::uint64_t observed[] = {60, 40, 0};
  const double shares[] = {0.5, 0.5, 0};
  const ChiSquare found = chi_square(observed, shares);
  EXPECT_DOUBLE_EQ(found.statistic, 4);
  EXPECT_EQ(found.degrees_of_freedom, 1u);
  EXPECT_NEAR(found.p_value, 0.0455002638963584, 1e-12);
}

}  // namespace
}  // namespace weir::stats
