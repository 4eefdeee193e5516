#pragma once

#include "base/result.h"
#include "protocol/json_reader.h"
#include "protocol/v2.h"

// The `parameters` of a request: reserved names with their types, and the client's own. Inside
// protocol/.

namespace weir::protocol {

// Takes the object that comes next (or null). A reserved name with a value of the wrong type, an
// unknown name that begins with "triton_" and a name given twice are refused.
Result<void> decode_request_parameters(
    JsonReader& reader, const DecodeOptions& options, PredictRequest& request
);

}  // namespace weir::protocol
