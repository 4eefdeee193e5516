#include "model/forest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"

namespace weir::model {
namespace {

// A walk goes in this many lanes at once: enough to hide the latency of a load, few enough to stay
// in registers.
constexpr std::size_t lanes = 8;
constexpr std::uint32_t category_bit = 1U << 31;
constexpr std::uint32_t no_place = std::numeric_limits<std::uint32_t>::max();
constexpr std::int32_t lowest_key = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t highest_key = std::numeric_limits<std::int32_t>::max();
// Categories are whole numbers below this.
constexpr std::uint32_t category_limit = 1U << 31;

// The copies of a feature's key. A missing value is above every threshold, or below every one.
enum Copy : std::uint32_t {
  missing_right,
  missing_left,
  zero_missing_right,  // These two exist only in a forest that needs them.
  zero_missing_left,
};

// Integers in the order of their floats; 0.0 and -0.0 are the same. All keys of numbers lie
// strictly between lowest_key and highest_key.
inline std::int32_t key_of(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value + 0.0F);
  return bits ^ ((bits >> 31) & highest_key);
}

inline float value_of(std::int32_t key) {
  return std::bit_cast<float>(key ^ ((key >> 31) & highest_key));
}

// The key that a row's key must be below to go left.
std::int32_t threshold_key(double threshold, Comparison comparison) {
  if (comparison == Comparison::less) return key_of(static_cast<float>(threshold));
  // value <= threshold holds for the same floats as value <= the largest float that is not above.
  auto rounded = static_cast<float>(threshold);
  if (static_cast<double>(rounded) > threshold) {
    rounded = std::nextafter(rounded, -std::numeric_limits<float>::infinity());
  }
  return key_of(rounded) + 1;
}

template <class Function, std::size_t... lane>
inline void for_each_lane(const Function& function, std::index_sequence<lane...>) {
  (function(lane), ...);
}
template <class Function>
inline void for_each_lane(const Function& function) {
  for_each_lane(function, std::make_index_sequence<lanes>());
}

// Whose keys a lane looks at: eight trees look at one row, or eight rows go through one tree.
struct OneRow {
  const std::int32_t* keys;
  const std::int32_t* operator()(std::size_t) const { return keys; }
};
struct ManyRows {
  const std::int32_t* keys;
  std::size_t keys_per_row;
  const std::int32_t* operator()(std::size_t lane) const { return keys + lane * keys_per_row; }
};

}  // namespace

std::size_t Forest::memory_bytes() const {
  return sizeof(Forest) + nodes_.capacity() * sizeof(Node) +
         fp32_values_.capacity() * sizeof(float) + fp64_values_.capacity() * sizeof(double) +
         trees_.capacity() * sizeof(Tree) + columns_.capacity() * sizeof(std::uint32_t) +
         category_sets_.capacity() * sizeof(CategorySet) +
         category_words_.capacity() * sizeof(std::uint32_t);
}

template <>
const std::vector<float>& Forest::values<float>() const {
  return fp32_values_;
}
template <>
const std::vector<double>& Forest::values<double>() const {
  return fp64_values_;
}

void Forest::make_keys(const float* values, std::int32_t* keys) const {
  for (const std::uint32_t column : columns_) {
    const float raw = values[column];
    const float value = std::fabs(raw) <= options_.zero_limit ? 0.0F : raw;
    const bool is_missing = value != value;
    const std::int32_t key = key_of(value);
    keys[missing_right] = is_missing ? highest_key : key;
    keys[missing_left] = is_missing ? lowest_key : key;
    if (copies_ > 2) {
      const bool is_zero = is_missing || value == 0.0F;
      keys[zero_missing_right] = is_zero ? highest_key : key;
      keys[zero_missing_left] = is_zero ? lowest_key : key;
    }
    keys += copies_;
  }
}

// Whether a categorical node sends the value of this key to its right child.
bool Forest::is_right(const Node& node, std::int32_t key) const {
  const CategorySet& set = category_sets_[static_cast<std::uint32_t>(node.key)];
  if (key == highest_key || key == lowest_key) return !set.is_missing_left;
  const CategoryRule& rule = options_.categories;
  const float value = value_of(key);
  const bool is_code = value < static_cast<float>(category_limit) &&
                       (rule.is_negative_fraction_zero ? value > -1.0F : value >= 0.0F);
  bool is_member = false;
  if (is_code) {
    const auto code = static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
    const std::uint32_t* words = category_words_.data() + set.begin;
    if (set.is_sorted_list) {
      is_member = std::binary_search(words, words + set.count, code);
    } else {
      is_member = code / 32 < set.count && ((words[code / 32] >> (code % 32)) & 1U) != 0;
    }
  }
  return is_member != rule.is_member_left;
}

// Moves every lane from its node in `at` down to its leaf. Requires: depth is that of the deepest.
template <class Rows, bool has_categories>
void Forest::walk(std::uint32_t* at, const Rows& rows, std::uint32_t depth) const {
  const Node* nodes = nodes_.data();
  std::uint32_t place[lanes];
  for_each_lane([&](std::size_t lane) { place[lane] = at[lane]; });
  // A deep tree has mostly short paths: after every few steps see whether all lanes have arrived.
  constexpr std::uint32_t steps_between_looks = 8;
  while (depth > 0) {
    const std::uint32_t steps = std::min(depth, steps_between_looks);
    depth -= steps;
    std::uint32_t moved = 0;
    for (std::uint32_t step = 0; step < steps; ++step) {
      moved = 0;
      for_each_lane([&](std::size_t lane) {
        const Node& node = nodes[place[lane]];
        std::uint32_t next = 0;
        if (has_categories && (node.column & category_bit) != 0) [[unlikely]] {
          const std::int32_t key = rows(lane)[node.column & ~category_bit];
          next = node.left + static_cast<std::uint32_t>(is_right(node, key));
        } else {
          next = node.left + static_cast<std::uint32_t>(rows(lane)[node.column] >= node.key);
        }
        moved |= next ^ place[lane];
        place[lane] = next;
      });
    }
    if (moved == 0) break;
  }
  for_each_lane([&](std::size_t lane) { at[lane] = place[lane]; });
}

// One row: eight trees side by side.
template <class Value, bool has_categories>
void Forest::evaluate_one(const std::int32_t* keys, double* sums) const {
  const Value* leaves = values<Value>().data();
  const OneRow row{keys};
  const std::size_t count = trees_.size();
  auto running = static_cast<Value>(sums[0]);
  const bool is_single = options_.group_count == 1;
  for (std::size_t first = 0; first < count; first += lanes) {
    const std::size_t used = std::min(lanes, count - first);
    std::uint32_t at[lanes];
    std::uint32_t depth = 0;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const Tree& tree = trees_[first + std::min(lane, used - 1)];
      at[lane] = tree.root;
      depth = std::max(depth, tree.depth);
    }
    walk<OneRow, has_categories>(at, row, depth);
    if (is_single) {
      for (std::size_t lane = 0; lane < used; ++lane) running += leaves[at[lane]];
      continue;
    }
    for (std::size_t lane = 0; lane < used; ++lane) {
      double& sum = sums[trees_[first + lane].group];
      sum = static_cast<double>(static_cast<Value>(sum) + leaves[at[lane]]);
    }
  }
  if (is_single) sums[0] = static_cast<double>(running);
}

// Eight rows: side by side through one tree after the other.
template <class Value, bool has_categories>
void Forest::evaluate_lanes(const std::int32_t* keys, double* sums) const {
  const Value* leaves = values<Value>().data();
  const ManyRows rows{keys, keys_per_row()};
  const std::size_t groups = options_.group_count;
  for (const Tree& tree : trees_) {
    std::uint32_t at[lanes];
    for_each_lane([&](std::size_t lane) { at[lane] = tree.root; });
    walk<ManyRows, has_categories>(at, rows, tree.depth);
    for_each_lane([&](std::size_t lane) {
      double& sum = sums[lane * groups + tree.group];
      sum = static_cast<double>(static_cast<Value>(sum) + leaves[at[lane]]);
    });
  }
}

template <class Value, bool has_categories>
void Forest::evaluate_rows(const std::int32_t* keys, std::size_t rows, double* sums) const {
  while (rows > 0) {
    const std::size_t done = rows >= lanes ? lanes : 1;
    if (done == lanes) {
      evaluate_lanes<Value, has_categories>(keys, sums);
    } else {
      evaluate_one<Value, has_categories>(keys, sums);
    }
    keys += done * keys_per_row();
    sums += done * options_.group_count;
    rows -= done;
  }
}

void Forest::evaluate(
    std::span<const float> values,
    std::size_t rows,
    std::span<std::int32_t> keys,
    std::span<double> sums
) const {
  const std::size_t groups = options_.group_count;
  CHECK(values.size() == rows * options_.feature_count, "a row has one value per feature");
  CHECK(sums.size() == rows * groups, "there is one sum per row and group");
  CHECK(keys.size() >= rows * keys_per_row(), "keys hold all rows");
  for (std::size_t row = 0; row < rows; ++row) {
    make_keys(values.data() + row * options_.feature_count, keys.data() + row * keys_per_row());
    std::copy(start_.begin(), start_.end(), sums.data() + row * groups);
  }
  const bool is_fp32 = options_.precision == Precision::fp32;
  if (category_sets_.empty()) {
    if (is_fp32) return evaluate_rows<float, false>(keys.data(), rows, sums.data());
    return evaluate_rows<double, false>(keys.data(), rows, sums.data());
  }
  if (is_fp32) return evaluate_rows<float, true>(keys.data(), rows, sums.data());
  evaluate_rows<double, true>(keys.data(), rows, sums.data());
}

ForestBuilder::ForestBuilder(const ForestOptions& options) {
  CHECK(options.group_count > 0 && options.feature_count > 0, "readers check both");
  CHECK(options.feature_count <= max_forest_features, "readers check the limit");
  forest_.options_ = options;
  forest_.copies_ = 4;  // finish() packs them when zero is nowhere a missing value.
  forest_.start_.assign(options.group_count, 0.0);
}

Result<std::int64_t> ForestBuilder::add_categories(std::span<const std::uint32_t> codes) {
  std::vector<std::uint32_t> sorted(codes.begin(), codes.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (!sorted.empty() && sorted.back() >= category_limit) {
    return fail(Code::invalid_argument, "category {} is out of range", sorted.back());
  }
  std::vector<std::uint32_t>& words = forest_.category_words_;
  Forest::CategorySet set;
  set.begin = static_cast<std::uint32_t>(words.size());
  const std::size_t bit_words = sorted.empty() ? 0 : sorted.back() / 32 + 1;
  // A set of few high codes would cost megabytes as bits.
  set.is_sorted_list = bit_words > 64 && bit_words > sorted.size();
  if (set.is_sorted_list) {
    words.insert(words.end(), sorted.begin(), sorted.end());
  } else {
    words.resize(words.size() + bit_words);
    for (const std::uint32_t code : sorted) words[set.begin + code / 32] |= 1U << (code % 32);
  }
  if (words.size() > no_place) {
    return fail(Code::invalid_argument, "there are too many categories in its splits");
  }
  set.count = static_cast<std::uint32_t>(words.size() - set.begin);
  forest_.category_sets_.push_back(set);
  return static_cast<std::int64_t>(forest_.category_sets_.size() - 1);
}

Result<void> ForestBuilder::check_split(
    const SourceNode& node, std::size_t index, std::size_t count
) const {
  if (node.left >= count || node.right >= count) {
    return fail(
        Code::invalid_argument,
        "node {} has the child {}, but there are {} nodes",
        index,
        std::max(node.left, node.right),
        count
    );
  }
  if (node.feature >= forest_.options_.feature_count) {
    return fail(
        Code::invalid_argument,
        "node {} looks at feature {}, but there are {} features",
        index,
        node.feature,
        forest_.options_.feature_count
    );
  }
  if (node.category_set < 0) {
    if (std::isnan(node.threshold)) {
      return fail(Code::invalid_argument, "node {} has NaN as its threshold", index);
    }
  } else {
    CHECK(
        static_cast<std::size_t>(node.category_set) < forest_.category_sets_.size(),
        "category sets are added before the nodes that use them"
    );
  }
  return {};
}

std::uint32_t ForestBuilder::column_of(std::uint32_t feature) {
  if (column_of_feature_.size() <= feature) column_of_feature_.resize(feature + 1, no_place);
  std::uint32_t& column = column_of_feature_[feature];
  if (column == no_place) {
    column = static_cast<std::uint32_t>(forest_.columns_.size());
    forest_.columns_.push_back(feature);
  }
  return column;
}

Forest::Node ForestBuilder::make_split(const SourceNode& node) {
  Forest::Node made;
  std::uint32_t copy = node.is_missing_left ? missing_left : missing_right;
  if (node.category_set >= 0) {
    const auto set = static_cast<std::uint32_t>(node.category_set);
    forest_.category_sets_[set].is_missing_left = node.is_missing_left;
    made.key = static_cast<std::int32_t>(set);
  } else {
    made.key = threshold_key(node.threshold, forest_.options_.comparison);
    if (node.is_zero_missing) {
      copy = node.is_missing_left ? zero_missing_left : zero_missing_right;
      is_zero_missing_used_ = true;
    }
  }
  made.column = column_of(node.feature) * forest_.copies_ + copy;
  if (node.category_set >= 0) made.column |= category_bit;
  return made;
}

// Places the tree breadth first, siblings side by side. A node that is reached twice has two
// parents or lies on a cycle; nodes that are not reached are left out.
Result<void> ForestBuilder::add_tree(std::span<const SourceNode> nodes, std::uint32_t group) {
  CHECK(group < forest_.options_.group_count, "the reader checks groups");
  if (nodes.empty()) return fail(Code::invalid_argument, "it has no nodes");
  const std::size_t base = forest_.nodes_.size();
  if (base + nodes.size() > forest_.options_.max_nodes) {
    return fail(
        Code::invalid_argument,
        "the model has more than {} nodes; raise max_forest_nodes to load it",
        forest_.options_.max_nodes
    );
  }
  places_.assign(nodes.size(), no_place);
  queue_.assign(1, 0);
  places_[0] = static_cast<std::uint32_t>(base);
  std::uint32_t depth = 0;
  std::size_t level_end = 1;
  for (std::size_t at = 0; at < queue_.size(); ++at) {
    if (at == level_end) {
      ++depth;
      level_end = queue_.size();
    }
    const std::uint32_t index = queue_[at];
    const SourceNode& node = nodes[index];
    const auto place = static_cast<std::uint32_t>(base + at);
    if (node.is_leaf) {
      forest_.nodes_.push_back({lowest_key, 0, place - 1});
    } else {
      TRY(check_split(node, index, nodes.size()));
      for (const std::uint32_t child : {node.left, node.right}) {
        if (places_[child] != no_place) {
          return fail(Code::invalid_argument, "node {} is reached twice: it is not a tree", child);
        }
        places_[child] = static_cast<std::uint32_t>(base + queue_.size());
        queue_.push_back(child);
      }
      Forest::Node made = make_split(node);
      made.left = places_[node.left];
      forest_.nodes_.push_back(made);
    }
    add_value(node.is_leaf ? node.value : 0.0);
  }
  forest_.trees_.push_back({static_cast<std::uint32_t>(base), depth, group});
  return {};
}

void ForestBuilder::add_value(double value) {
  if (forest_.options_.precision == Precision::fp32) {
    forest_.fp32_values_.push_back(static_cast<float>(value));
  } else {
    forest_.fp64_values_.push_back(value);
  }
}

void ForestBuilder::scale_tree(std::size_t tree, float factor) {
  CHECK(tree < forest_.trees_.size(), "only a tree that was added is scaled");
  const std::size_t begin = forest_.trees_[tree].root;
  const std::size_t end =
      tree + 1 < forest_.trees_.size() ? forest_.trees_[tree + 1].root : forest_.nodes_.size();
  for (std::size_t node = begin; node < end; ++node) {
    if (forest_.options_.precision == Precision::fp32) {
      forest_.fp32_values_[node] *= factor;
    } else {
      forest_.fp64_values_[node] *= static_cast<double>(factor);
    }
  }
}

void ForestBuilder::set_start(std::span<const double> start) {
  CHECK(start.size() == forest_.options_.group_count, "there is one start per group");
  forest_.start_.assign(start.begin(), start.end());
}

Forest ForestBuilder::finish() && {
  if (!is_zero_missing_used_) {
    for (Forest::Node& node : forest_.nodes_) {
      const std::uint32_t kind = node.column & category_bit;
      const std::uint32_t column = node.column & ~category_bit;
      node.column = (column / 4 * 2 + column % 4) | kind;
    }
    forest_.copies_ = 2;
  }
  // A forest of single leaves looks at no feature, yet its leaves read a key.
  if (forest_.columns_.empty()) forest_.columns_.push_back(0);
  forest_.nodes_.shrink_to_fit();
  forest_.fp32_values_.shrink_to_fit();
  forest_.fp64_values_.shrink_to_fit();
  forest_.trees_.shrink_to_fit();
  forest_.category_words_.shrink_to_fit();
  return std::move(forest_);
}

}  // namespace weir::model
