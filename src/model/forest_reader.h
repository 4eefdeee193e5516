#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/forest.h"
#include "model/signature.h"

// What the readers of tree formats give: the forest and how its sums become answers. The readers
// are pure functions; every error is an invalid_argument that says what is wrong, without the
// file's name, which load_forest puts in front.

namespace weir::model {

// From the sums of a row to what its library's predict() answers.
enum class Link : std::uint8_t {
  identity,
  logistic,       // 1 / (1 + exp(-scale * x))
  step,           // 1 when x > 0, else 0
  softmax,        // Over the groups.
  one_vs_all,     // Logistic for each group by itself; they need not add up to 1.
  exponential,    // exp(x)
  signed_square,  // sign(x) * x * x
  softplus,       // log(1 + exp(x))
};

struct ForestModel {
  Forest forest;
  // binary and multiclass answer `label` and `probabilities`, the others `variable`.
  Task task = Task::regression;
  Link link = Link::identity;
  double scale = 1;    // Of Link::logistic and one_vs_all.
  double divisor = 1;  // Sums are divided by it first (random forests of LightGBM).
  std::vector<std::string> feature_names;  // As many as features, or none.
};

// XGBoost 1.0 to 3.x, boosters gbtree and dart.
//
// Which trees count: Booster.predict() uses all of them, also after early stopping; the
// scikit-learn classes (XGBClassifier…) use those up to the best iteration, and leave their mark,
// the attribute "scikit_learn", in the file. The reader does for each file what its own class does.
Result<ForestModel> read_xgboost_json(std::string_view bytes, std::uint32_t max_nodes);
Result<ForestModel> read_xgboost_ubj(std::string_view bytes, std::uint32_t max_nodes);

// LightGBM's text format, versions v2 to v4: what Booster.save_model() writes.
Result<ForestModel> read_lightgbm(std::string_view bytes, std::uint32_t max_nodes);

}  // namespace weir::model
