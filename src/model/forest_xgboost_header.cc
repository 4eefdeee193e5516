#include "model/forest_xgboost_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

namespace weir::model::xgboost {
namespace {

constexpr std::array objectives{
    Objective{"binary:logistic", Task::binary, Link::logistic, StartLink::logit},
    Objective{"binary:logitraw", Task::other, Link::identity, StartLink::identity},
    Objective{"binary:hinge", Task::binary, Link::step, StartLink::identity},
    Objective{"multi:softprob", Task::multiclass, Link::softmax, StartLink::identity},
    Objective{"multi:softmax", Task::multiclass, Link::softmax, StartLink::identity},
    Objective{"reg:squarederror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:linear", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:squaredlogerror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:pseudohubererror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:absoluteerror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:quantileerror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:expectileerror", Task::regression, Link::identity, StartLink::identity},
    Objective{"reg:logistic", Task::regression, Link::logistic, StartLink::logit},
    Objective{"reg:gamma", Task::regression, Link::exponential, StartLink::log},
    Objective{"reg:tweedie", Task::regression, Link::exponential, StartLink::log},
    Objective{"count:poisson", Task::regression, Link::exponential, StartLink::log},
    Objective{"survival:aft", Task::regression, Link::exponential, StartLink::log},
    Objective{"survival:cox", Task::other, Link::exponential, StartLink::log},
    Objective{"rank:pairwise", Task::other, Link::identity, StartLink::identity},
    Objective{"rank:ndcg", Task::other, Link::identity, StartLink::identity},
    Objective{"rank:map", Task::other, Link::identity, StartLink::identity},
};

template <class T>
Result<T> parse(std::string_view text, std::string_view what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Code::invalid_argument, "{} is '{}', not a number", what, text.substr(0, 40));
  }
  return value;
}

Result<Objective> find_objective(const Header& header) {
  for (const Objective& objective : objectives) {
    if (objective.name == header.objective) return objective;
  }
  return fail(
      Code::invalid_argument,
      "its objective '{}' is not one that Weir knows; convert the model to ONNX to serve it",
      header.objective
  );
}

Result<std::uint32_t> within(std::int64_t value, std::string_view what, std::uint32_t limit) {
  if (value < 0 || value > static_cast<std::int64_t>(limit)) {
    return fail(Code::invalid_argument, "{} is {}; it must be 0 to {}", what, value, limit);
  }
  return static_cast<std::uint32_t>(value);
}

Result<double> start_of(const Objective& objective, double score) {
  const auto base = static_cast<float>(score);
  if (objective.start == StartLink::identity) return static_cast<double>(base);
  if (objective.start == StartLink::logit) {
    if (!(base > 0.0F && base < 1.0F)) {
      return fail(Code::invalid_argument, "base_score is {}; it must be between 0 and 1", score);
    }
    return static_cast<double>(-std::log(1.0F / base - 1.0F));
  }
  if (!(base > 0.0F)) {
    return fail(Code::invalid_argument, "base_score is {}; it must be above 0", score);
  }
  return static_cast<double>(std::log(base));
}

// "5E-1" until 3.0, "[4.7E-1]" or one number per group since.
Result<std::vector<double>> read_start(
    std::string_view text, const Objective& objective, std::uint32_t groups
) {
  if (text.empty()) return fail(Code::invalid_argument, "it has no base_score");
  if (text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  std::vector<double> start;
  while (!text.empty() && start.size() <= groups) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const double score = TRY(parse<double>(text.substr(0, comma), "base_score"));
    start.push_back(TRY(start_of(objective, score)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (start.size() == 1) start.resize(groups, start[0]);
  if (start.size() != groups) {
    return fail(Code::invalid_argument, "base_score must have one number or {}", groups);
  }
  return start;
}

Result<std::size_t> count_of_used_trees(const Header& header, std::uint32_t groups) {
  const std::size_t all = header.tree_groups.size();
  if (!header.is_of_scikit_learn || header.best_iteration.empty()) return all;
  const auto best = TRY(parse<std::int64_t>(header.best_iteration, "best_iteration"));
  if (best < 0) return fail(Code::invalid_argument, "best_iteration is {}", best);
  const auto next = static_cast<std::size_t>(best) + 1;
  if (!header.iteration_ends.empty()) {
    if (next >= header.iteration_ends.size()) return all;
    const std::int64_t end = header.iteration_ends[next];
    if (end < 0 || static_cast<std::size_t>(end) > all) {
      return fail(Code::invalid_argument, "iteration_indptr has {}, of {} trees", end, all);
    }
    return static_cast<std::size_t>(end);
  }
  const auto parallel = static_cast<std::size_t>(
      std::max<std::int64_t>(1, std::min<std::int64_t>(header.parallel_tree_count, 1 << 30))
  );
  return std::min(all, std::min(next, all) * parallel * groups);
}

}  // namespace

Result<Plan> plan_forest(const Header& header, std::uint32_t max_nodes) {
  if (header.booster != "gbtree" && header.booster != "dart") {
    return fail(
        Code::invalid_argument,
        "its booster is '{}', which has no trees; convert the model to ONNX to serve it",
        header.booster
    );
  }
  if (!header.has_trees) return fail(Code::invalid_argument, "it has no learner with trees");
  Plan plan;
  plan.objective = TRY(find_objective(header));
  const std::uint32_t classes = TRY(within(header.class_count, "num_class", max_forest_groups));
  const std::uint32_t targets = TRY(within(header.target_count, "num_target", max_forest_groups));
  const std::uint32_t groups = std::max({classes, targets, 1U});
  if (plan.objective.task == Task::multiclass && groups < 2) {
    return fail(Code::invalid_argument, "num_class is {}, for several classes", classes);
  }
  if (plan.objective.task != Task::multiclass && groups > 1) {
    // Several targets: numbers without an order between them.
    plan.objective.task = Task::other;
  }
  plan.options.group_count = groups;
  plan.options.feature_count =
      TRY(within(header.feature_count, "num_feature", max_forest_features));
  if (plan.options.feature_count == 0) return fail(Code::invalid_argument, "num_feature is 0");
  plan.options.max_nodes = max_nodes;
  plan.start = TRY(read_start(header.base_score, plan.objective, groups));
  plan.tree_count = TRY(count_of_used_trees(header, groups));
  for (const std::int64_t group : header.tree_groups) {
    if (group < 0 || group >= static_cast<std::int64_t>(groups)) {
      return fail(Code::invalid_argument, "tree_info has {}, of {} groups", group, groups);
    }
  }
  if (header.booster == "dart" && header.tree_weights.size() != header.tree_groups.size()) {
    return fail(
        Code::invalid_argument,
        "weight_drop has {} weights for {} trees",
        header.tree_weights.size(),
        header.tree_groups.size()
    );
  }
  return plan;
}

Result<std::int64_t> parse_integer(std::string_view text, std::string_view what) {
  return parse<std::int64_t>(text, what);
}

}  // namespace weir::model::xgboost
