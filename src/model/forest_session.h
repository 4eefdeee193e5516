#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "model/session.h"

// Tree models of XGBoost and LightGBM as sessions, evaluated by Weir itself (forest.h).

namespace weir::model {

// Reads a model by its content: XGBoost's JSON or UBJ (1.0 to 3.x), or LightGBM's text. `file_name`
// is for messages only. The signature is complete without a sidecar:
//   input `input` FP32 [-1, features]; features take the model's feature names when it has them;
//   a classifier has `label` INT64 [-1] and `probabilities` FP32 [-1, classes];
//   everything else has `variable` FP32 [-1, targets], raw scores of ranking included.
Result<std::unique_ptr<Session>> load_forest(
    std::string_view bytes, std::string_view file_name, const SessionOptions& options
);

// Whether the bytes look like one of the formats that load_forest reads.
bool looks_like_forest(std::string_view bytes);

}  // namespace weir::model
