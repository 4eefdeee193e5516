#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/forest_lightgbm_header.h"
#include "model/forest_reader.h"
#include "model/forest_text.h"

// LightGBM's text format: "key=value" lines. A header up to the first "Tree=0", one block per tree,
// "end of trees", then importances and parameters that prediction does not need. In a tree,
// children are nodes when they are not negative, and leaf ~child when they are.

namespace weir::model {
namespace {

// One tree as its lines. Kept between trees for its memory.
struct TreeArrays {
  std::int64_t leaf_count = 0;
  bool is_linear = false;
  std::vector<std::int64_t> feature;
  std::vector<double> threshold;  // Of a categorical split: the index of its set.
  std::vector<std::int32_t> decision;
  std::vector<std::int64_t> left;
  std::vector<std::int64_t> right;
  std::vector<double> leaf_value;
  std::vector<std::int64_t> category_bounds;  // Set i is the words bounds[i] to bounds[i + 1].
  std::vector<std::uint32_t> category_words;  // Bit c % 32 of word c / 32 is category c.

  void clear();
  Result<void> read(const Entry& entry);
};

void TreeArrays::clear() {
  leaf_count = 0;
  is_linear = false;
  feature.clear();
  threshold.clear();
  decision.clear();
  left.clear();
  right.clear();
  leaf_value.clear();
  category_bounds.clear();
  category_words.clear();
}

Result<void> TreeArrays::read(const Entry& entry) {
  if (entry.key == "split_feature") return parse_list(entry, feature);
  if (entry.key == "threshold") return parse_list(entry, threshold);
  if (entry.key == "decision_type") return parse_list(entry, decision);
  if (entry.key == "left_child") return parse_list(entry, left);
  if (entry.key == "right_child") return parse_list(entry, right);
  if (entry.key == "leaf_value") return parse_list(entry, leaf_value);
  if (entry.key == "cat_boundaries") return parse_list(entry, category_bounds);
  if (entry.key == "cat_threshold") return parse_list(entry, category_words);
  if (entry.key == "is_linear") is_linear = entry.value != "0";
  if (entry.key == "num_leaves") {
    leaf_count = TRY(parse<std::int64_t>(entry.value, entry.key));
  }
  return {};
}

// The ids of the tree's category sets in the builder.
Result<std::vector<std::int64_t>> add_category_sets(
    const TreeArrays& arrays, ForestBuilder& builder
) {
  std::vector<std::int64_t> sets;
  std::vector<std::uint32_t> codes;
  const auto word_count = static_cast<std::int64_t>(arrays.category_words.size());
  for (std::size_t index = 0; index + 1 < arrays.category_bounds.size(); ++index) {
    const std::int64_t begin = arrays.category_bounds[index];
    const std::int64_t end = arrays.category_bounds[index + 1];
    if (begin < 0 || end < begin || end > word_count || end - begin > (1 << 26)) {
      return fail(Code::invalid_argument, "its cat_boundaries are out of range at {}", index);
    }
    codes.clear();
    for (std::int64_t word = begin; word < end; ++word) {
      const std::uint32_t bits = arrays.category_words[static_cast<std::size_t>(word)];
      for (std::uint32_t bit = 0; bit < 32; ++bit) {
        if ((bits >> bit & 1U) == 0) continue;
        codes.push_back(static_cast<std::uint32_t>(word - begin) * 32 + bit);
      }
    }
    sets.push_back(TRY(builder.add_categories(codes)));
  }
  return sets;
}

// Bits of decision_type.
constexpr std::int32_t categorical_bit = 1;
constexpr std::int32_t default_left_bit = 2;
enum class Missing : std::int32_t { none, zero, nan };

Result<SourceNode> make_split(
    const TreeArrays& arrays, std::size_t index, std::span<const std::int64_t> sets
) {
  SourceNode node;
  node.is_leaf = false;
  const std::int64_t split_count = arrays.leaf_count - 1;
  const auto place = [&](std::int64_t child) { return child >= 0 ? child : split_count + ~child; };
  const std::int64_t left = arrays.left[index];
  const std::int64_t right = arrays.right[index];
  for (const std::int64_t child : {left, right}) {
    if (child >= split_count || child < -arrays.leaf_count) {
      return fail(
          Code::invalid_argument,
          "node {} has the child {}, but there are {} leaves",
          index,
          child,
          arrays.leaf_count
      );
    }
  }
  node.left = static_cast<std::uint32_t>(place(left));
  node.right = static_cast<std::uint32_t>(place(right));
  if (arrays.feature[index] < 0 || arrays.feature[index] >= max_forest_features) {
    return fail(
        Code::invalid_argument, "node {} looks at feature {}", index, arrays.feature[index]
    );
  }
  node.feature = static_cast<std::uint32_t>(arrays.feature[index]);
  const double threshold = arrays.threshold[index];
  const std::int32_t decision = arrays.decision[index];
  if ((decision & categorical_bit) != 0) {
    if (!(threshold >= 0 && threshold < static_cast<double>(sets.size()))) {
      return fail(Code::invalid_argument, "node {} has no set of categories", index);
    }
    node.category_set = sets[static_cast<std::size_t>(threshold)];
    return node;  // A missing value goes right.
  }
  node.threshold = threshold;
  const bool is_default_left = (decision & default_left_bit) != 0;
  switch (static_cast<Missing>(decision >> 2 & 3)) {
    case Missing::none:
      node.is_missing_left = 0.0 <= threshold;  // NaN counts as 0.
      break;
    case Missing::zero:
      node.is_zero_missing = true;
      node.is_missing_left = is_default_left;
      break;
    case Missing::nan:
      node.is_missing_left = is_default_left;
      break;
    default:
      return fail(Code::invalid_argument, "node {} has the decision_type {}", index, decision);
  }
  return node;
}

Result<void> add_tree(
    const TreeArrays& arrays,
    std::uint32_t group,
    ForestBuilder& builder,
    std::vector<SourceNode>& nodes
) {
  if (arrays.is_linear) {
    return fail(
        Code::invalid_argument, "its leaves are linear models (linear_tree), which Weir cannot run"
    );
  }
  const std::size_t leaves = arrays.leaf_value.size();
  if (leaves == 0 || arrays.leaf_count != static_cast<std::int64_t>(leaves)) {
    return fail(
        Code::invalid_argument, "num_leaves is {}, of {} leaf values", arrays.leaf_count, leaves
    );
  }
  const std::size_t splits = leaves - 1;
  if (leaves > 1 && (arrays.feature.size() != splits || arrays.threshold.size() != splits ||
                     arrays.decision.size() != splits || arrays.left.size() != splits ||
                     arrays.right.size() != splits)) {
    return fail(Code::invalid_argument, "its lines do not have {} splits each", splits);
  }
  const std::vector<std::int64_t> sets = TRY(add_category_sets(arrays, builder));
  nodes.clear();
  for (std::size_t index = 0; index < splits; ++index) {
    nodes.push_back(TRY(make_split(arrays, index, sets)));
  }
  for (const double value : arrays.leaf_value) {
    SourceNode& leaf = nodes.emplace_back();
    leaf.value = value;
  }
  return builder.add_tree(nodes, group);
}

// Reads the trees, of which the first one's title was just read, up to "end of trees".
Result<void> read_trees(Lines& lines, std::uint32_t groups, ForestBuilder& builder) {
  TreeArrays arrays;
  std::vector<SourceNode> nodes;
  std::string_view line;
  while (true) {
    const std::size_t tree = builder.tree_count();
    Result<void> done;
    bool is_end = false;
    arrays.clear();
    while (true) {
      if (!lines.next(line)) {
        return fail(
            Code::invalid_argument,
            "it is truncated: it stops in tree {}, before 'end of trees'",
            tree
        );
      }
      is_end = line == "end of trees";
      if (is_end || line.starts_with("Tree=")) break;
      if (done) done = arrays.read(split_entry(line));
    }
    if (done) done = add_tree(arrays, static_cast<std::uint32_t>(tree % groups), builder, nodes);
    if (!done) return fail(Code::invalid_argument, "tree {}: {}", tree, done.error().message);
    if (is_end) return {};
  }
}

}  // namespace

Result<ForestModel> read_lightgbm(std::string_view bytes, std::uint32_t max_nodes) {
  Lines lines(bytes);
  lightgbm::Header header;
  std::string_view line;
  bool has_trees = false;
  bool is_end = false;
  while (!has_trees && !is_end) {
    if (!lines.next(line)) {
      return fail(Code::invalid_argument, "it is truncated: it stops before its trees");
    }
    has_trees = line.starts_with("Tree=");
    is_end = line == "end of trees";
    TRY(lightgbm::read_header_entry(split_entry(line), header));
  }
  ForestModel model;
  TRY(lightgbm::apply_objective(header, model));
  const ForestOptions options = TRY(lightgbm::make_options(header, max_nodes));
  ForestBuilder builder(options);
  if (has_trees) TRY(read_trees(lines, options.group_count, builder));
  const std::size_t trees = builder.tree_count();
  if (trees % options.group_count != 0 ||
      (header.tree_size_count != 0 && header.tree_size_count != trees)) {
    return fail(
        Code::invalid_argument,
        "it has {} trees, but its header is for {}",
        trees,
        header.tree_size_count
    );
  }
  if (header.is_average && trees > 0) {
    model.divisor = static_cast<double>(trees / options.group_count);
  }
  if (lightgbm::has_real_names(header, options.feature_count)) {
    model.feature_names = std::move(header.feature_names);
  }
  model.forest = std::move(builder).finish();
  return model;
}

}  // namespace weir::model
