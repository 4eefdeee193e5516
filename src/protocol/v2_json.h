#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/v2.h"

// The JSON object of an infer request: the whole body, or its first part when binary tensors
// follow. Inside protocol/; others use v2.h.

namespace weir::protocol {

// `binary` is what follows the JSON and is used up by the inputs that say so, in their order;
// nothing when the request has no binary part at all. Requires: the request is clear.
Result<void> decode_v2_json(
    std::string_view json,
    std::optional<std::string_view> binary,
    const DecodeOptions& options,
    PredictRequest& request
);

}  // namespace weir::protocol
