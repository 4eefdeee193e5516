#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/session.h"

namespace weir::model {

// Loads an ONNX model from a file (external weights lie beside it) and runs it on made-up input, to
// warm it and to learn what the file does not say: the number of classes, their names where the
// model gives maps, and which shapes follow from the number of rows. The session answers inline.
// Optional inputs keep the value that the model gives them. Does not read the sidecar.
Result<std::unique_ptr<Session>> load_onnx(const std::string& path, const SessionOptions& options);

}  // namespace weir::model
