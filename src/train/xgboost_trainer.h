#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Trains gradient-boosted trees with libxgboost: quick baselines, and the models of the demo. The
// library is loaded when first used and only trains; models are served by the forest evaluator.

namespace weir::train {

enum class TrainTask {
  binary,      // Labels 0 and 1; the model gives the probability of 1.
  multiclass,  // Labels 0 … classes - 1; the model gives a probability for each.
  regression,
};

// "binary", "multiclass", "regression".
std::string_view to_string(TrainTask task);

// Borrowed rows of numbers with their labels.
struct TrainData {
  std::span<const float> values;  // Row by row; NaN is a missing value.
  std::span<const float> labels;  // One per row.
  std::size_t features = 0;       // Values per row.
};

struct TrainOptions {
  TrainTask task = TrainTask::binary;
  std::uint32_t classes = 2;  // multiclass only.
  std::uint32_t trees = 100;  // Rounds of boosting; multiclass makes one tree per class in each.
  std::uint32_t depth = 6;
  double learning_rate = 0.3;
  std::uint64_t seed = 0;
  int threads = 0;                           // 0: as many as there are cores.
  std::vector<std::string> feature_names;    // One per feature, or none at all.
  std::string library;                       // Empty: WEIR_XGBOOST, then the system's libxgboost.
  std::uint64_t max_values = 2'000'000'000;  // Rows times features.
};

struct TrainMetric {
  std::string data;  // "train" or "validation".
  std::string name;  // "logloss", "error", "mlogloss", "merror", "rmse".
  double value = 0;
};

struct TrainReport {
  std::string library_version;  // "1.7.4"
  std::uint64_t rows = 0;
  std::vector<TrainMetric> metrics;  // After the last tree.
  std::int64_t train_us = 0;
};

// Trains on `data` and saves the model to `path`, which ends in .ubj or .json, under a temporary
// name first. With the same input and one thread the model is the same. `validation` may be empty.
// Errors: invalid_argument for data that do not fit together, unavailable without the library.
Result<TrainReport> train_xgboost(
    const TrainData& data,
    const TrainData& validation,
    const TrainOptions& options,
    const std::string& path
);

}  // namespace weir::train
