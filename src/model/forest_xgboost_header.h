#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/forest_reader.h"

// What stands in an XGBoost model beside its trees, and what follows from it for them.

namespace weir::model::xgboost {

struct Header {
  std::vector<std::int32_t> version;
  std::string booster = "gbtree";
  std::string objective;
  std::string base_score;
  std::string best_iteration;
  bool is_of_scikit_learn = false;
  std::int64_t class_count = 0;
  std::int64_t target_count = 0;
  std::int64_t feature_count = 0;
  std::int64_t parallel_tree_count = 1;
  std::vector<std::string> feature_names;
  std::vector<std::int64_t> iteration_ends;  // iteration_indptr: begins with 0.
  std::vector<std::int64_t> tree_groups;
  std::vector<float> tree_weights;  // dart
  bool has_trees = false;
};

// How an objective's sums become answers, and how base_score (in the space of answers) becomes the
// start of the sums.
enum class StartLink : std::uint8_t { identity, logit, log };
struct Objective {
  std::string_view name;
  Task task;
  Link link;
  StartLink start;
};
// What is checked and decided before the trees are read.
struct Plan {
  Objective objective;
  ForestOptions options;
  std::vector<double> start;   // By group.
  std::size_t tree_count = 0;  // Of those in the file, the first so many.
};

// Checks the header, and decides which trees count and how.
Result<Plan> plan_forest(const Header& header, std::uint32_t max_nodes);

// An integer parameter, which the file holds as text. `what` names it in the error.
Result<std::int64_t> parse_integer(std::string_view text, std::string_view what);

}  // namespace weir::model::xgboost
