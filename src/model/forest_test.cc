#include "model/forest.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::model {
namespace {

using testing::HasSubstr;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

SourceNode leaf(double value) {
  SourceNode node;
  node.value = value;
  return node;
}

SourceNode split(std::uint32_t left, std::uint32_t right, std::uint32_t feature, double threshold) {
  SourceNode node;
  node.is_leaf = false;
  node.left = left;
  node.right = right;
  node.feature = feature;
  node.threshold = threshold;
  return node;
}

// A tree of one split: 1 on the left, 2 on the right.
std::vector<SourceNode> stump(double threshold) {
  return {split(1, 2, 0, threshold), leaf(1), leaf(2)};
}

std::vector<double> evaluate(const Forest& forest, const std::vector<float>& values) {
  const std::size_t rows = values.size() / forest.feature_count();
  std::vector<std::int32_t> keys(rows * forest.keys_per_row());
  std::vector<double> sums(rows * forest.group_count());
  forest.evaluate(values, rows, keys, sums);
  return sums;
}

Forest make_forest(
    const ForestOptions& options, const std::vector<std::vector<SourceNode>>& trees
) {
  ForestBuilder builder(options);
  std::uint32_t group = 0;
  for (const auto& tree : trees) {
    const Result<void> added = builder.add_tree(tree, group++ % options.group_count);
    EXPECT_TRUE(added) << added.error().message;
  }
  return std::move(builder).finish();
}

std::string refusal(
    const std::vector<SourceNode>& tree, ForestOptions options = {.feature_count = 3}
) {
  ForestBuilder builder(options);
  const Result<void> added = builder.add_tree(tree, 0);
  return added ? "" : added.error().message;
}

TEST(Forest, GoesRightOnTheThresholdWhenLeftMeansBelow) {
  const Forest forest = make_forest({.feature_count = 1}, {stump(0.5)});
  EXPECT_EQ(
      evaluate(forest, {0.49999997F, 0.5F, -infinity, infinity, -0.0F}),
      (std::vector<double>{1, 2, 1, 2, 1})
  );
  const Forest at_zero = make_forest({.feature_count = 1}, {stump(-0.0)});
  EXPECT_EQ(evaluate(at_zero, {0.0F, -0.0F, -1e-45F}), (std::vector<double>{2, 2, 1}));
}

TEST(Forest, ComparesFloatsWithDoubleThresholdsAsDoubles) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    const auto bits = static_cast<std::uint32_t>(random());
    const float value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    // Thresholds on the value and within a float's step around it.
    const double spread = static_cast<double>(static_cast<std::int64_t>(random() % 5) - 2) * 3e-8;
    const double threshold = static_cast<double>(value) * (1 + spread);
    if (std::isnan(threshold)) continue;
    const Forest forest = make_forest(
        {.comparison = Comparison::less_or_equal, .feature_count = 1}, {stump(threshold)}
    );
    const double wanted = static_cast<double>(value) <= threshold ? 1 : 2;
    EXPECT_EQ(evaluate(forest, {value})[0], wanted) << value << " and " << threshold;
  }
}

TEST(Forest, SendsMissingValuesTheWayTheNodeSays) {
  for (const double threshold : {-HUGE_VAL, -1.0, 0.0, 3.5, HUGE_VAL}) {
    for (const bool is_left : {false, true}) {
      std::vector<SourceNode> tree = stump(threshold);
      tree[0].is_missing_left = is_left;
      const Forest forest = make_forest({.feature_count = 1}, {tree});
      EXPECT_EQ(
          evaluate(forest, {not_a_number, -not_a_number}), std::vector<double>(2, is_left ? 1 : 2)
      ) << threshold;
    }
  }
}

TEST(Forest, SendsNothingLeftOfMinusInfinityButWhatIsMissing) {
  std::vector<SourceNode> tree = stump(-HUGE_VAL);
  tree[0].is_missing_left = true;
  const Forest forest = make_forest({.feature_count = 1}, {tree});
  EXPECT_EQ(
      evaluate(forest, {-infinity, -3e38F, 0, infinity, not_a_number}),
      (std::vector<double>{2, 2, 2, 2, 1})
  );
}

TEST(Forest, TakesZeroAsMissingOnlyInNodesThatSaySo) {
  std::vector<SourceNode> plain = stump(5);
  std::vector<SourceNode> zero_right = stump(5);
  zero_right[0].is_zero_missing = true;
  std::vector<SourceNode> zero_left = stump(-5);
  zero_left[0].is_zero_missing = true;
  zero_left[0].is_missing_left = true;
  const Forest forest = make_forest(
      {.zero_limit = 1e-35F, .feature_count = 1, .group_count = 3}, {plain, zero_right, zero_left}
  );
  for (const float zero : {0.0F, -0.0F, 1e-35F, -1e-36F}) {
    EXPECT_EQ(evaluate(forest, {zero}), (std::vector<double>{1, 2, 1})) << zero;
  }
  EXPECT_EQ(evaluate(forest, {1e-34F}), (std::vector<double>{1, 1, 2}));
  EXPECT_EQ(evaluate(forest, {not_a_number}), (std::vector<double>{2, 2, 1}));
}

TEST(Forest, SendsCategoriesOfTheSetToOneSideAndAllElseToTheOther) {
  for (const bool is_member_left : {false, true}) {
    // Few low codes are kept as bits, few high ones as a list.
    for (const std::uint32_t high : {40U, 1'000'000U}) {
      ForestBuilder builder({.categories = {.is_member_left = is_member_left}, .feature_count = 1});
      std::vector<SourceNode> tree = stump(0);
      const std::vector<std::uint32_t> codes{3, high, 0, 3};
      tree[0].category_set = *builder.add_categories(codes);
      ASSERT_TRUE(builder.add_tree(tree, 0));
      const Forest forest = std::move(builder).finish();
      const double member = is_member_left ? 1 : 2;
      const double other = is_member_left ? 2 : 1;
      const auto high_code = static_cast<float>(high);
      EXPECT_EQ(evaluate(forest, {0, 3, high_code, 3.9F}), std::vector<double>(4, member));
      EXPECT_EQ(
          evaluate(
              forest, {1, 2, 4, 31, 32, high_code + 1, 3e9F, 2147483648.0F, infinity, -1, -0.5F}
          ),
          std::vector<double>(11, other)
      );
      EXPECT_EQ(evaluate(forest, {not_a_number})[0], 2) << "missing goes right here";
    }
  }
}

TEST(Forest, CutsSmallNegativeCategoriesToZeroWhenTheRuleSaysSo) {
  ForestBuilder builder({.categories = {true, true}, .feature_count = 1});
  std::vector<SourceNode> tree = stump(0);
  tree[0].category_set = *builder.add_categories(std::vector<std::uint32_t>{0});
  ASSERT_TRUE(builder.add_tree(tree, 0));
  const Forest forest = std::move(builder).finish();
  EXPECT_EQ(evaluate(forest, {-0.5F, -0.99F, -1, 0.5F}), (std::vector<double>{1, 1, 2, 1}));
}

// Walks the source nodes one by one, as a reader of the format would.
double plain_walk(const std::vector<SourceNode>& tree, const float* row) {
  std::size_t at = 0;
  while (!tree[at].is_leaf) {
    const SourceNode& node = tree[at];
    const float value = row[node.feature];
    const bool is_left =
        std::isnan(value) ? node.is_missing_left : value < static_cast<float>(node.threshold);
    at = is_left ? node.left : node.right;
  }
  return tree[at].value;
}

// A random tree; a steep one has a leaf on every left side.
std::vector<SourceNode> random_tree(std::mt19937_64& random, std::size_t splits, bool is_steep) {
  std::normal_distribution<float> normal;
  std::vector<SourceNode> tree{leaf(0)};
  std::vector<std::size_t> open{0};
  for (std::size_t round = 0; round < splits; ++round) {
    const std::size_t pick = is_steep ? open.size() - 1 : random() % open.size();
    const std::size_t at = open[pick];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    const auto next = static_cast<std::uint32_t>(tree.size());
    tree[at] = split(next, next + 1, static_cast<std::uint32_t>(random() % 6), normal(random));
    tree[at].is_missing_left = random() % 2 == 0;
    tree.push_back(leaf(normal(random)));
    tree.push_back(leaf(normal(random)));
    open.push_back(next);
    open.push_back(next + 1);
  }
  return tree;
}

TEST(Forest, AgreesWithAPlainWalkForEveryNumberOfRowsAndTrees) {
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 60; ++round) {
    const auto groups = static_cast<std::uint32_t>(1 + random() % 3);
    const std::size_t tree_count = random() % 21;
    std::vector<std::vector<SourceNode>> trees;
    for (std::size_t tree = 0; tree < tree_count; ++tree) {
      trees.push_back(random_tree(random, random() % 60, round % 3 == 0));
    }
    const Precision precision = round % 2 == 0 ? Precision::fp32 : Precision::fp64;
    const Forest forest =
        make_forest({.precision = precision, .feature_count = 6, .group_count = groups}, trees);
    const std::size_t rows = random() % 20;
    std::vector<float> values(rows * 6);
    for (float& value : values) value = random() % 8 == 0 ? not_a_number : normal(random);
    const std::vector<double> sums = evaluate(forest, values);
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<double> wanted(groups);
      for (std::size_t tree = 0; tree < tree_count; ++tree) {
        double& sum = wanted[tree % groups];
        const double value = plain_walk(trees[tree], values.data() + row * 6);
        sum = precision == Precision::fp64
                  ? sum + value
                  : static_cast<double>(static_cast<float>(sum) + static_cast<float>(value));
      }
      for (std::size_t group = 0; group < groups; ++group) {
        EXPECT_EQ(sums[row * groups + group], wanted[group]) << "round " << round;
      }
    }
  }
}

TEST(Forest, StartsFromTheStartAndScalesTrees) {
  ForestBuilder builder({.feature_count = 1, .group_count = 2});
  ASSERT_TRUE(builder.add_tree(stump(0), 0));
  ASSERT_TRUE(builder.add_tree(stump(0), 1));
  builder.scale_tree(1, 0.25F);
  builder.set_start(std::vector<double>{10, 20});
  const Forest forest = std::move(builder).finish();
  EXPECT_EQ(evaluate(forest, {-1, 1}), (std::vector<double>{11, 20.25, 12, 20.5}));
}

TEST(Forest, LooksOnlyAtFeaturesThatSomeNodeUses) {
  std::vector<SourceNode> tree = stump(0);
  tree[0].feature = 9'999;
  const Forest forest = make_forest({.feature_count = 10'000}, {tree, tree, {leaf(5)}});
  EXPECT_EQ(forest.keys_per_row(), 2U);
  std::vector<float> row(10'000, -1);
  EXPECT_EQ(evaluate(forest, row)[0], 7);
}

TEST(ForestBuilder, LeavesOutNodesThatNobodyReaches) {
  std::vector<SourceNode> tree = stump(0);
  tree.push_back(split(0, 3, 0, 0));  // What pruning leaves behind in a file.
  const Forest forest = make_forest({.feature_count = 1}, {tree});
  EXPECT_EQ(forest.node_count(), 3U);
}

TEST(ForestBuilder, RefusesWhatIsNotATree) {
  EXPECT_THAT(refusal({}), HasSubstr("no nodes"));
  EXPECT_THAT(
      refusal({split(1, 3, 0, 0), leaf(1), leaf(2)}),
      HasSubstr("node 0 has the child 3, but there are 3 nodes")
  );
  EXPECT_THAT(
      refusal({split(1, 0xFFFFFFFF, 0, 0), leaf(1)}), HasSubstr("has the child 4294967295")
  );
  EXPECT_THAT(refusal({split(1, 1, 0, 0), leaf(1)}), HasSubstr("node 1 is reached twice"));
  EXPECT_THAT(refusal({split(0, 1, 0, 0), leaf(1)}), HasSubstr("node 0 is reached twice"));
  EXPECT_THAT(
      refusal({split(1, 2, 0, 0), split(3, 0, 0, 0), leaf(1), leaf(2)}),
      HasSubstr("node 0 is reached twice")
  );
  EXPECT_THAT(
      refusal({split(1, 2, 3, 0), leaf(1), leaf(2)}),
      HasSubstr("looks at feature 3, but there are 3 features")
  );
  EXPECT_THAT(
      refusal({split(1, 2, 2, std::nan("")), leaf(1), leaf(2)}), HasSubstr("NaN as its threshold")
  );
  EXPECT_EQ(refusal({split(1, 2, 2, 0), leaf(1), leaf(2)}), "");
}

TEST(ForestBuilder, RefusesMoreNodesThanAllowed) {
  ForestBuilder builder({.feature_count = 1, .max_nodes = 6});
  EXPECT_TRUE(builder.add_tree(stump(0), 0));
  EXPECT_TRUE(builder.add_tree(stump(0), 0));
  const Result<void> added = builder.add_tree(std::vector<SourceNode>{leaf(1)}, 0);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("more than 6 nodes; raise max_forest_nodes"));
}

TEST(ForestBuilder, RefusesCategoriesBeyondTheRangeOfCodes) {
  ForestBuilder builder({.feature_count = 1});
  EXPECT_TRUE(builder.add_categories(std::vector<std::uint32_t>{(1U << 31) - 1}));
  EXPECT_FALSE(builder.add_categories(std::vector<std::uint32_t>{1U << 31}));
}

}  // namespace
}  // namespace weir::model
