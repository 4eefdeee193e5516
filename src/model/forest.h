#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

// Decision trees as flat arrays: a row of numbers goes in, one sum of leaf values per group (class
// or target) comes out. Weir's own, because a served tree model needs microseconds a row and must
// agree with the library that trained it to the last digit.
//
// How it is fast: a node is 12 bytes, the right child follows the left one, and a leaf leads back
// to itself, so that a step is one comparison without a branch and eight walks go side by side.
// Values are compared as integers of the same order as their floats. A row is turned into such
// keys once; a missing value becomes the lowest key in one copy and the highest in another, and a
// node reads the copy of its default direction: no step asks whether a value is missing.
//
// Forest is immutable and thread-safe: evaluate() keeps no state and allocates nothing.

namespace weir::model {

// What a forest can hold at most.
inline constexpr std::uint32_t max_forest_features = 1U << 24;
inline constexpr std::uint32_t max_forest_groups = 1U << 16;

// A node of a tree as it stands in a file, before it is checked. Node 0 is the root.
struct SourceNode {
  bool is_leaf = true;
  double value = 0;  // Leaves only.

  std::uint32_t left = 0;  // Children, as indices into the tree's nodes.
  std::uint32_t right = 0;
  std::uint32_t feature = 0;
  // A numeric split goes left when the value is below the threshold, or equal to it as the forest's
  // Comparison says. NaN is refused.
  double threshold = 0;
  bool is_missing_left = false;    // Where NaN goes.
  bool is_zero_missing = false;    // Then 0 goes where NaN goes.
  std::int64_t category_set = -1;  // From ForestBuilder::add_categories; -1 = a numeric split.
};

enum class Comparison : std::uint8_t { less, less_or_equal };

// In which precision leaf values are kept and added up, in the order of the trees.
enum class Precision : std::uint8_t { fp32, fp64 };

// Which values belong to a category set, besides its codes. A value is cut to a whole number.
struct CategoryRule {
  bool is_member_left = false;             // Everything else goes the other way.
  bool is_negative_fraction_zero = false;  // Whether -0.5 is category 0 (LightGBM) or no category.
};

struct ForestOptions {
  Comparison comparison = Comparison::less;
  Precision precision = Precision::fp32;
  CategoryRule categories = {};
  float zero_limit = 0;  // Values that are no further from zero are zero.
  std::uint32_t feature_count = 0;
  std::uint32_t group_count = 1;
  std::uint32_t max_nodes = 1U << 28;
};

class Forest {
 public:
  std::uint32_t feature_count() const { return options_.feature_count; }
  std::uint32_t group_count() const { return options_.group_count; }
  std::size_t tree_count() const { return trees_.size(); }
  std::size_t node_count() const { return nodes_.size(); }
  std::size_t memory_bytes() const;

  // Elements of scratch memory that evaluate() needs for one row.
  std::size_t keys_per_row() const { return columns_.size() * copies_; }

  // Adds up the leaves of every row, starting from `start` (one element per group).
  // Requires: values has rows * feature_count() elements, sums rows * group_count(),
  // keys at least rows * keys_per_row().
  void evaluate(
      std::span<const float> values,
      std::size_t rows,
      std::span<std::int32_t> keys,
      std::span<double> sums
  ) const;

 private:
  friend class ForestBuilder;

  struct Node {
    std::int32_t key = 0;  // Left when the row's key is below. A category set's index instead…
    std::uint32_t column =
        0;  // …when the highest bit here is set. Else an index into a row's keys.
    std::uint32_t left = 0;  // The right child is left + 1. A leaf has its own index - 1.
  };
  struct Tree {
    std::uint32_t root = 0;
    std::uint32_t depth = 0;
    std::uint32_t group = 0;
  };
  // Codes as bits, or sorted where bits would waste memory.
  struct CategorySet {
    std::uint32_t begin = 0;  // In category_words_.
    std::uint32_t count = 0;
    bool is_sorted_list = false;
    bool is_missing_left = false;
  };

  template <class Rows, bool has_categories>
  void walk(std::uint32_t* at, const Rows& rows, std::uint32_t depth) const;
  template <class Value, bool has_categories>
  void evaluate_rows(const std::int32_t* keys, std::size_t rows, double* sums) const;
  template <class Value, bool has_categories>
  void evaluate_one(const std::int32_t* keys, double* sums) const;
  template <class Value, bool has_categories>
  void evaluate_lanes(const std::int32_t* keys, double* sums) const;
  template <class Value>
  const std::vector<Value>& values() const;
  void make_keys(const float* values, std::int32_t* keys) const;
  bool is_right(const Node& node, std::int32_t key) const;

  ForestOptions options_;
  std::vector<Node> nodes_;
  std::vector<float> fp32_values_;  // Of the leaves, by node; one of the two is empty.
  std::vector<double> fp64_values_;
  std::vector<double> start_;
  std::vector<Tree> trees_;
  std::vector<std::uint32_t> columns_;  // The features that some node looks at.
  std::uint32_t copies_ = 2;            // Keys of a feature: see forest.cc, `Copy`.
  std::vector<CategorySet> category_sets_;
  std::vector<std::uint32_t> category_words_;
};

// Makes a Forest tree by tree, and refuses what is not one: indices out of range, nodes with two
// parents, cycles, more nodes than allowed. One thread at a time.
class ForestBuilder {
 public:
  explicit ForestBuilder(const ForestOptions& options);

  // The codes of a categorical split of the tree that is added next.
  Result<std::int64_t> add_categories(std::span<const std::uint32_t> codes);

  // The error says which node is wrong, not which tree or file.
  Result<void> add_tree(std::span<const SourceNode> nodes, std::uint32_t group);
  std::size_t tree_count() const { return forest_.trees_.size(); }
  std::size_t node_count() const { return forest_.nodes_.size(); }

  // Multiplies the leaves of a tree. Requires: tree < tree_count().
  void scale_tree(std::size_t tree, float factor);
  // What the sums start from. Requires: one element per group.
  void set_start(std::span<const double> start);

  Forest finish() &&;

 private:
  Result<void> check_split(const SourceNode& node, std::size_t index, std::size_t count) const;
  Forest::Node make_split(const SourceNode& node);
  std::uint32_t column_of(std::uint32_t feature);
  void add_value(double value);

  Forest forest_;
  std::vector<std::uint32_t> column_of_feature_;
  std::vector<std::uint32_t> places_;  // While a tree is added: where its nodes go…
  std::vector<std::uint32_t> queue_;   // …and which nodes stand there.
  bool is_zero_missing_used_ = false;
};

}  // namespace weir::model
