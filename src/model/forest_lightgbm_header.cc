#include "model/forest_lightgbm_header.h"

#include <algorithm>
#include <array>

namespace weir::model::lightgbm {
namespace {

struct Objective {
  std::string_view name;
  Task task;
  Link link;
};
constexpr std::array objectives{
    Objective{"binary", Task::binary, Link::logistic},
    Objective{"multiclass", Task::multiclass, Link::softmax},
    Objective{"multiclassova", Task::multiclass, Link::one_vs_all},
    Objective{"regression", Task::regression, Link::identity},
    Objective{"regression_l2", Task::regression, Link::identity},
    Objective{"regression_l1", Task::regression, Link::identity},
    Objective{"huber", Task::regression, Link::identity},
    Objective{"fair", Task::regression, Link::identity},
    Objective{"quantile", Task::regression, Link::identity},
    Objective{"mape", Task::regression, Link::identity},
    Objective{"poisson", Task::regression, Link::exponential},
    Objective{"gamma", Task::regression, Link::exponential},
    Objective{"tweedie", Task::regression, Link::exponential},
    Objective{"cross_entropy", Task::regression, Link::logistic},
    Objective{"cross_entropy_lambda", Task::regression, Link::softplus},
    Objective{"lambdarank", Task::other, Link::identity},
    Objective{"rank_xendcg", Task::other, Link::identity},
    Objective{"custom", Task::other, Link::identity},
};

}  // namespace

Result<void> read_header_entry(const Entry& entry, Header& header) {
  if (entry.key == "version") header.version = entry.value;
  if (entry.key == "objective") header.objective = entry.value;
  if (entry.key == "average_output") header.is_average = true;
  if (entry.key == "num_class") {
    header.class_count = TRY(parse<std::int64_t>(entry.value, entry.key));
  } else if (entry.key == "num_tree_per_iteration") {
    header.trees_per_iteration = TRY(parse<std::int64_t>(entry.value, entry.key));
  } else if (entry.key == "max_feature_idx") {
    header.max_feature_index = TRY(parse<std::int64_t>(entry.value, entry.key));
  } else if (entry.key == "feature_names") {
    return for_each_word(entry.value, [&](std::string_view name) -> Result<void> {
      header.feature_names.emplace_back(name);
      return {};
    });
  } else if (entry.key == "tree_sizes") {
    return for_each_word(entry.value, [&](std::string_view) -> Result<void> {
      ++header.tree_size_count;
      return {};
    });
  }
  return {};
}

bool has_real_names(const Header& header, std::size_t feature_count) {
  if (header.feature_names.size() != feature_count) return false;
  for (std::size_t index = 0; index < feature_count; ++index) {
    if (header.feature_names[index] != fmt::format("Column_{}", index)) return true;
  }
  return false;
}

Result<void> apply_objective(const Header& header, ForestModel& model) {
  const std::string_view name = header.objective.substr(0, header.objective.find(' '));
  const auto found = std::find_if(objectives.begin(), objectives.end(), [&](const Objective& each) {
    return each.name == (name.empty() ? "custom" : name);
  });
  if (found == objectives.end()) {
    return fail(
        Code::invalid_argument,
        "its objective '{}' is not one that Weir knows; convert the model to ONNX to serve it",
        name
    );
  }
  model.task = found->task;
  model.link = found->link;
  const auto read_word = [&](std::string_view word) -> Result<void> {
    constexpr std::string_view sigmoid = "sigmoid:";
    if (word.starts_with(sigmoid)) {
      model.scale = TRY(parse<double>(word.substr(sigmoid.size()), "objective"));
    }
    if (word == "sqrt" && model.link == Link::identity) model.link = Link::signed_square;
    return {};
  };
  TRY(for_each_word(header.objective, read_word));
  const std::int64_t groups = header.trees_per_iteration;
  if (model.task == Task::multiclass) {
    if (groups < 2) return fail(Code::invalid_argument, "it has {} class, for several", groups);
  } else if (groups != 1) {
    model.task = Task::other;  // Several raw numbers of an objective of the user's own.
    if (!name.empty() && name != "custom") {
      return fail(
          Code::invalid_argument, "it has {} trees per iteration, for objective {}", groups, name
      );
    }
  }
  return {};
}

Result<ForestOptions> make_options(const Header& header, std::uint32_t max_nodes) {
  if (header.version != "v2" && header.version != "v3" && header.version != "v4") {
    return fail(
        Code::invalid_argument,
        "its version is '{}'; Weir reads v2, v3 and v4 of LightGBM's text format",
        header.version
    );
  }
  if (header.max_feature_index < 0 || header.max_feature_index >= max_forest_features) {
    return fail(
        Code::invalid_argument,
        "max_feature_idx is {}; it must be 0 to {}",
        header.max_feature_index,
        max_forest_features - 1
    );
  }
  if (header.trees_per_iteration < 1 || header.trees_per_iteration > max_forest_groups) {
    return fail(
        Code::invalid_argument,
        "num_tree_per_iteration is {}; it must be 1 to {}",
        header.trees_per_iteration,
        max_forest_groups
    );
  }
  ForestOptions options;
  options.comparison = Comparison::less_or_equal;
  options.precision = Precision::fp64;
  options.categories = {.is_member_left = true, .is_negative_fraction_zero = true};
  options.zero_limit = 1e-35F;  // Its predictors leave such values out of a row.
  options.feature_count = static_cast<std::uint32_t>(header.max_feature_index) + 1;
  options.group_count = static_cast<std::uint32_t>(header.trees_per_iteration);
  options.max_nodes = max_nodes;
  return options;
}

}  // namespace weir::model::lightgbm
