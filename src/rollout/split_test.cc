#include "rollout/split.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::rollout {
namespace {

constexpr int key_count = 1'000'000;

std::vector<std::uint32_t> places_of_a_million_keys(std::uint64_t seed) {
  std::vector<std::uint32_t> places;
  places.reserve(key_count);
  for (int i = 0; i < key_count; ++i) places.push_back(place_of("user-" + std::to_string(i), seed));
  return places;
}

TEST(Split, GivesEveryStageItsShareOfAMillionKeysWithinSamplingError) {
  for (const std::uint64_t seed : {0ull, 1ull, 0x9E3779B97F4A7C15ull, ~0ull}) {
    const auto places = places_of_a_million_keys(seed);
    for (const std::uint32_t share : {100u, 10'000u, 50'000u, 250'000u, 500'000u, 990'000u}) {
      int candidates = 0;
      for (const auto place : places) candidates += arm_at(place, share) == Arm::candidate ? 1 : 0;
      const double p = share / 1e6;
      const double error = std::sqrt(p * (1 - p) * key_count);
      // Four standard errors: a right split fails once in 16,000 seeds; these seeds are fixed.
      EXPECT_NEAR(candidates, p * key_count, 4 * error) << "share " << share << " seed " << seed;
    }
  }
}

TEST(Split, SpreadsKeysEvenlyOverAThousandParts) {
  std::vector<int> counts(1000);
  for (const auto place : places_of_a_million_keys(7)) ++counts[place / 1000];
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  // Mean 999, standard deviation 45.
  EXPECT_NEAR(chi_square, 999, 5 * 45);
}

TEST(Split, KeepsAKeyOnTheSameArmWhenTheShareGrows) {
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "user-" + std::to_string(i);
    bool was_candidate = false;
    for (std::uint32_t share = 0; share <= whole_ppm; share += 12'500) {
      const bool is_candidate = arm_of(key, 42, share) == Arm::candidate;
      EXPECT_TRUE(is_candidate || !was_candidate) << key << " at " << share;
      was_candidate = is_candidate;
    }
    EXPECT_TRUE(was_candidate);
  }
}

TEST(Split, IsExactAtNobodyAndEverybody) {
  for (const auto place : {0u, 1u, 499'999u, 999'999u}) {
    EXPECT_EQ(arm_at(place, 0), Arm::primary);
    EXPECT_EQ(arm_at(place, whole_ppm), Arm::candidate);
  }
  for (const auto place : places_of_a_million_keys(3)) ASSERT_LT(place, whole_ppm);
}

TEST(Split, SplitsIndependentlyUnderAnotherSeed) {
  int both = 0;
  int one = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = std::to_string(i);
    if (arm_of(key, 1, 250'000) != Arm::candidate) continue;
    ++one;
    if (arm_of(key, 2, 250'000) == Arm::candidate) ++both;
  }
  EXPECT_NEAR(both, one * 0.25, 4 * std::sqrt(one * 0.25 * 0.75));
}

// Clients would change arms in the middle of a rollout if an upgrade moved these.
TEST(Split, NeverChangesTheArmOfAKey) {
  EXPECT_EQ(place_of("", 0), 175'880u);
  EXPECT_EQ(place_of("user-1", 0), 486'176u);
  EXPECT_EQ(place_of("user-1", 42), 579'259u);
  EXPECT_EQ(place_of(std::string(300, 'k'), 1), 626'780u);
}

TEST(Split, GivesThePropensityOfEachArm) {
  EXPECT_DOUBLE_EQ(propensity(Arm::candidate, 50'000), 0.05);
  EXPECT_DOUBLE_EQ(propensity(Arm::primary, 50'000), 0.95);
  EXPECT_EQ(propensity(Arm::shadow, 50'000), 1);
}

TEST(Split, NamesTheArms) {
  EXPECT_EQ(to_string(Arm::primary), "primary");
  EXPECT_EQ(to_string(Arm::candidate), "candidate");
  EXPECT_EQ(to_string(Arm::shadow), "shadow");
  EXPECT_EQ(to_string(Arm::human), "human");
}

}  // namespace
}  // namespace weir::rollout
