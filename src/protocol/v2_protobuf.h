#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/predict.h"
#include "protocol/v2.h"

// The two messages of a prediction over gRPC, bytes to a PredictRequest and back, without classes
// made by a compiler: tensors are copied once, and a request that is like the last one allocates
// nothing. Thread-safe.

namespace weir::protocol {

// Which model a request means; borrowed from the message.
struct ModelName {
  std::string_view name;
  std::string_view version;  // Empty = none named.
};

// Of a ModelInferRequest, without looking at anything else.
Result<ModelName> read_model_name(std::string_view message, const DecodeOptions& options);

// Decodes a ModelInferRequest in place of what `request` held, all but its model's name; after an
// error its content is unspecified. Outputs are raw unless the parameter binary_data_output says
// otherwise.
Result<void> decode_infer_request(
    std::string_view message, const DecodeOptions& options, PredictRequest& request
);

// Appends a ModelInferResponse. All outputs travel in the same way, raw or typed; a mixture, and
// typed FP16 or BF16, are invalid_argument; `message` is then as it was.
Result<void> encode_infer_response(const PredictResponse& response, std::string& message);

}  // namespace weir::protocol
