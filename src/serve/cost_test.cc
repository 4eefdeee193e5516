#include "serve/cost.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

TEST(Cost, TellsTheFixedPartFromThePartOfEachRow) {
  Cost cost;
  EXPECT_FALSE(cost.is_known());
  EXPECT_EQ(cost.expected_ns(10), 0);
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t rows = 1 + i % 7;
    cost.add(rows, 5000 + 300 * static_cast<std::int64_t>(rows));
  }
  EXPECT_TRUE(cost.is_known());
  EXPECT_NEAR(cost.fixed_ns(), 5000, 1);
  EXPECT_NEAR(cost.per_row_ns(), 300, 1);
  EXPECT_NEAR(static_cast<double>(cost.expected_ns(100)), 35'000, 10);
}

TEST(Cost, WithOneSizeOnlyEverythingIsFixed) {
  Cost cost;
  for (int i = 0; i < 100; ++i) cost.add(1, 10'000);
  EXPECT_EQ(cost.expected_ns(1), 10'000);
  EXPECT_EQ(cost.per_row_ns(), 0);
}

TEST(Cost, ACostByTheRowAloneLeavesNothingFixed) {
  Cost cost;
  for (std::size_t rows = 1; rows <= 40; ++rows) {
    cost.add(rows, 10 * static_cast<std::int64_t>(rows * rows));
  }
  EXPECT_EQ(cost.fixed_ns(), 0);
  EXPECT_GT(cost.per_row_ns(), 0);
}

TEST(Cost, FollowsAModelThatBecomesSlow) {
  Cost cost;
  for (int i = 0; i < 1000; ++i) cost.add(1, 10'000);
  cost.add(1, 50'000'000);
  EXPECT_GT(cost.expected_ns(1), 1'000'000);  // The second slow run is expected to be one.
  for (int i = 0; i < 200; ++i) cost.add(1, 10'000);
  EXPECT_LT(cost.expected_ns(1), 200'000);
}

TEST(Share, FollowsWhatHappens) {
  Share share;
  for (int i = 0; i < 200; ++i) share.add(true);
  EXPECT_GT(share.value(), 0.95F);
  for (int i = 0; i < 200; ++i) share.add(i % 4 == 0);
  EXPECT_NEAR(share.value(), 0.25F, 0.1F);
}

}  // namespace
}  // namespace weir::serve
