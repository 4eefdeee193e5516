#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/forest_json.h"
#include "model/forest_reader.h"
#include "model/forest_ubj.h"
#include "model/forest_xgboost_header.h"

// Both formats hold the same document:
//   {version: [3,2,0], learner: {attributes: {best_iteration, scikit_learn}, feature_names,
//    learner_model_param: {base_score, num_class, num_target, num_feature}, objective: {name},
//    gradient_booster: {name, model: {gbtree_model_param, iteration_indptr, tree_info, trees}}}}
// where the booster "dart" has {name, gbtree: {name, model}, weight_drop} instead. The order of
// keys is not fixed, and trees need what may follow them: the document is read twice, first all but
// the trees, then nothing but the trees.

namespace weir::model {
namespace {

using xgboost::Header;
using xgboost::Plan;

// One tree as its arrays. Kept between trees for its memory.
struct TreeArrays {
  std::vector<std::int32_t> left;
  std::vector<std::int32_t> right;
  std::vector<std::int32_t> feature;
  std::vector<float> threshold;  // Of a leaf: its value.
  std::vector<std::uint8_t> default_left;
  std::vector<std::uint8_t> split_type;         // 1 = categorical. Absent before 1.3.
  std::vector<std::uint32_t> categories;        // Codes of all categorical splits…
  std::vector<std::int32_t> categorical_nodes;  // …by node…
  std::vector<std::int64_t> category_begin;     // …from here…
  std::vector<std::int64_t> category_count;     // …so many.
  std::string leaf_size;
};

// --- The document, first time: the header -------------------------------------------------------

template <class Value>
Result<void> read_integer(Value& value, std::string_view what, std::int64_t& number) {
  const std::string text = TRY(value.text());
  number = TRY(xgboost::parse_integer(text, what));
  return {};
}

template <class Value>
Result<void> read_tree_model(Value& model, Header& header) {
  return model.object([&](std::string_view key, Value& value) -> Result<void> {
    if (key == "tree_info") return value.numbers(header.tree_groups);
    if (key == "iteration_indptr") return value.numbers(header.iteration_ends);
    if (key == "trees") header.has_trees = true;
    if (key != "gbtree_model_param") return value.skip();
    return value.object([&](std::string_view name, Value& parameter) -> Result<void> {
      if (name != "num_parallel_tree") return parameter.skip();
      return read_integer(parameter, name, header.parallel_tree_count);
    });
  });
}

template <class Value>
Result<void> read_booster(Value& booster, Header& header) {
  return booster.object([&](std::string_view key, Value& value) -> Result<void> {
    if (key == "name") {
      header.booster = TRY(value.text());
      return {};
    }
    if (key == "weight_drop") return value.numbers(header.tree_weights);
    if (key == "model") return read_tree_model(value, header);
    if (key != "gbtree") return value.skip();
    return value.object([&](std::string_view name, Value& inner) -> Result<void> {
      if (name != "model") return inner.skip();
      return read_tree_model(inner, header);
    });
  });
}

template <class Value>
Result<void> read_learner(Value& learner, Header& header) {
  return learner.object([&](std::string_view key, Value& value) -> Result<void> {
    if (key == "gradient_booster") return read_booster(value, header);
    if (key == "feature_names") {
      return value.array([&](Value& name) -> Result<void> {
        header.feature_names.push_back(TRY(name.text()));
        return {};
      });
    }
    if (key != "attributes" && key != "objective" && key != "learner_model_param") {
      return value.skip();
    }
    return value.object([&](std::string_view name, Value& parameter) -> Result<void> {
      if (key == "attributes") {
        if (name == "scikit_learn") header.is_of_scikit_learn = true;
        if (name == "best_iteration") header.best_iteration = TRY(parameter.text());
      } else if (key == "objective") {
        if (name == "name") header.objective = TRY(parameter.text());
      } else if (key == "learner_model_param") {
        if (name == "base_score") header.base_score = TRY(parameter.text());
        if (name == "num_class") return read_integer(parameter, name, header.class_count);
        if (name == "num_target") return read_integer(parameter, name, header.target_count);
        if (name == "num_feature") return read_integer(parameter, name, header.feature_count);
      }
      return {};
    });
  });
}

template <class Value>
Result<void> read_header(Value& root, Header& header) {
  return root.object([&](std::string_view key, Value& value) -> Result<void> {
    if (key == "learner") return read_learner(value, header);
    if (key == "version") return value.numbers(header.version);
    return value.skip();
  });
}

// --- The document, second time: the trees -------------------------------------------------------

template <class Value>
Result<void> read_tree(Value& tree, TreeArrays& arrays) {
  arrays.split_type.clear();
  arrays.categorical_nodes.clear();
  arrays.category_begin.clear();
  arrays.category_count.clear();
  arrays.categories.clear();
  return tree.object([&](std::string_view key, Value& value) -> Result<void> {
    if (key == "left_children") return value.numbers(arrays.left);
    if (key == "right_children") return value.numbers(arrays.right);
    if (key == "split_indices") return value.numbers(arrays.feature);
    if (key == "split_conditions") return value.numbers(arrays.threshold);
    if (key == "default_left") return value.numbers(arrays.default_left);
    if (key == "split_type") return value.numbers(arrays.split_type);
    if (key == "categories") return value.numbers(arrays.categories);
    if (key == "categories_nodes") return value.numbers(arrays.categorical_nodes);
    if (key == "categories_segments") return value.numbers(arrays.category_begin);
    if (key == "categories_sizes") return value.numbers(arrays.category_count);
    if (key != "tree_param") return value.skip();
    return value.object([&](std::string_view name, Value& parameter) -> Result<void> {
      if (name == "size_leaf_vector") arrays.leaf_size = TRY(parameter.text());
      return {};
    });
  });
}

Result<void> add_category_sets(
    const TreeArrays& arrays, ForestBuilder& builder, std::vector<SourceNode>& nodes
) {
  constexpr std::uint32_t category_limit = 1U << 24;  // XGBoost's own.
  const std::size_t count = arrays.categorical_nodes.size();
  if (arrays.category_begin.size() != count || arrays.category_count.size() != count) {
    return fail(Code::invalid_argument, "its arrays of categories differ in length");
  }
  const std::span<const std::uint32_t> all(arrays.categories);
  for (std::size_t index = 0; index < count; ++index) {
    const std::int32_t node = arrays.categorical_nodes[index];
    const std::int64_t begin = arrays.category_begin[index];
    const std::int64_t size = arrays.category_count[index];
    const auto total = static_cast<std::int64_t>(all.size());
    if (node < 0 || static_cast<std::size_t>(node) >= nodes.size() || begin < 0 || size < 0 ||
        begin > total || size > total - begin) {
      return fail(Code::invalid_argument, "its categorical split {} is out of range", index);
    }
    const auto codes = all.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
    for (const std::uint32_t code : codes) {
      if (code >= category_limit) {
        return fail(Code::invalid_argument, "its category {} is out of range", code);
      }
    }
    nodes[static_cast<std::size_t>(node)].category_set = TRY(builder.add_categories(codes));
  }
  return {};
}

Result<void> add_tree(
    const TreeArrays& arrays,
    std::uint32_t group,
    ForestBuilder& builder,
    std::vector<SourceNode>& nodes
) {
  const std::size_t count = arrays.left.size();
  if (arrays.right.size() != count || arrays.feature.size() != count ||
      arrays.threshold.size() != count || arrays.default_left.size() != count ||
      (arrays.split_type.size() != count && !arrays.split_type.empty())) {
    return fail(Code::invalid_argument, "its arrays differ in length");
  }
  if (!arrays.leaf_size.empty() && arrays.leaf_size != "0" && arrays.leaf_size != "1") {
    return fail(
        Code::invalid_argument,
        "its leaves are vectors of {}; train with multi_strategy=one_output_per_tree",
        arrays.leaf_size
    );
  }
  nodes.assign(count, SourceNode{});
  for (std::size_t index = 0; index < count; ++index) {
    SourceNode& node = nodes[index];
    node.is_leaf = arrays.left[index] == -1;
    if (node.is_leaf) {
      node.value = static_cast<double>(arrays.threshold[index]);
      continue;
    }
    // A negative index becomes a large one, which the builder refuses.
    node.left = static_cast<std::uint32_t>(arrays.left[index]);
    node.right = static_cast<std::uint32_t>(arrays.right[index]);
    node.feature = static_cast<std::uint32_t>(arrays.feature[index]);
    node.threshold = static_cast<double>(arrays.threshold[index]);
    node.is_missing_left = arrays.default_left[index] != 0;
  }
  TRY(add_category_sets(arrays, builder, nodes));
  for (std::size_t index = 0; index < arrays.split_type.size(); ++index) {
    const SourceNode& node = nodes[index];
    const bool is_categorical = !node.is_leaf && node.category_set >= 0;
    if (!node.is_leaf && is_categorical != (arrays.split_type[index] == 1)) {
      return fail(Code::invalid_argument, "node {} has categories or a threshold, not both", index);
    }
  }
  return builder.add_tree(nodes, group);
}

template <class Value>
Result<void> read_trees(
    Value& value, const Header& header, const Plan& plan, ForestBuilder& builder
) {
  TreeArrays arrays;
  std::vector<SourceNode> nodes;
  std::size_t index = 0;
  TRY(value.array([&](Value& tree) -> Result<void> {
    const std::size_t here = index++;
    if (here >= header.tree_groups.size() || here >= plan.tree_count) return tree.skip();
    Result<void> done = read_tree(tree, arrays);
    if (done) {
      const auto group = static_cast<std::uint32_t>(header.tree_groups[here]);
      done = add_tree(arrays, group, builder, nodes);
    }
    if (!done) return fail(Code::invalid_argument, "tree {}: {}", here, done.error().message);
    if (!header.tree_weights.empty()) builder.scale_tree(here, header.tree_weights[here]);
    return {};
  }));
  if (index != header.tree_groups.size()) {
    return fail(
        Code::invalid_argument,
        "it has {} trees, but its tree_info is for {}",
        index,
        header.tree_groups.size()
    );
  }
  return {};
}

// Calls found(value) for the value that lies along the path; everything beside it is skipped.
template <class Value, class Found>
Result<void> follow(Value& value, std::span<const std::string_view> path, const Found& found) {
  if (path.empty()) return found(value);
  return value.object([&](std::string_view key, Value& child) -> Result<void> {
    if (key != path.front()) return child.skip();
    return follow(child, path.subspan(1), found);
  });
}

// `open` gives the root, each time anew.
template <class Value, class Open>
Result<ForestModel> read_document(const Open& open, std::uint32_t max_nodes) {
  Header header;
  Value first = TRY(open());
  TRY(read_header(first, header));
  const Plan plan = TRY(xgboost::plan_forest(header, max_nodes));
  ForestBuilder builder(plan.options);
  builder.set_start(plan.start);
  Value second = TRY(open());
  constexpr std::array<std::string_view, 4> gbtree{"learner", "gradient_booster", "model", "trees"};
  constexpr std::array<std::string_view, 5> dart{
      "learner", "gradient_booster", "gbtree", "model", "trees"};
  const std::span<const std::string_view> path =
      header.booster == "dart" ? std::span<const std::string_view>(dart) : gbtree;
  TRY(follow(second, path, [&](Value& trees) -> Result<void> {
    return read_trees(trees, header, plan, builder);
  }));
  if (builder.tree_count() != plan.tree_count) {
    return fail(Code::invalid_argument, "its trees are not where its booster has them");
  }
  ForestModel model;
  model.forest = std::move(builder).finish();
  model.task = plan.objective.task;
  model.link = plan.objective.link;
  if (header.feature_names.size() == plan.options.feature_count) {
    model.feature_names = std::move(header.feature_names);
  }
  return model;
}

}  // namespace

Result<ForestModel> read_xgboost_json(std::string_view bytes, std::uint32_t max_nodes) {
  const simdjson::padded_string padded(bytes);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  const auto open = [&]() -> Result<JsonValue> {
    simdjson::ondemand::value root;
    simdjson::error_code error = parser.iterate(padded).get(document);
    if (error == simdjson::SUCCESS) error = document.get_value().get(root);
    if (error != simdjson::SUCCESS) {
      return fail(
          Code::invalid_argument,
          "its JSON is damaged or cut off ({})",
          simdjson::error_message(error)
      );
    }
    return JsonValue(root);
  };
  return read_document<JsonValue>(open, max_nodes);
}

Result<ForestModel> read_xgboost_ubj(std::string_view bytes, std::uint32_t max_nodes) {
  UbjReader reader(bytes);
  const auto open = [&]() -> Result<UbjValue> {
    reader = UbjReader(bytes);
    return open_ubj(reader);
  };
  return read_document<UbjValue>(open, max_nodes);
}

}  // namespace weir::model
