#pragma once

#include <string>

#include "base/result.h"
#include "model/session.h"

struct OrtApi;
struct OrtEnv;
struct OrtMemoryInfo;

// ONNX Runtime, loaded from its shared library when the first ONNX model needs it. There is one per
// process and it is never unloaded: the library cannot be, and a second environment would be
// ignored by it.

namespace weir::model {

// Immutable once loaded. Thread-safe.
struct OnnxLibrary {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  const OrtMemoryInfo* memory = nullptr;  // Main memory, for tensors over memory of ours.
  std::string path;                       // Where it was found.
  std::string version;
};

// Loads the library at the first call and returns the same one afterwards. It is looked for in
// this order: options.onnx_library, the environment variable WEIR_ONNXRUNTIME (either one that does
// not load is an error), where the build found it, ../lib beside the program, the system's folders.
// The size of the thread pool is options.onnx_threads of the first call: all sessions share it.
// A failure is not remembered, so the next call tries again. Thread-safe.
Result<const OnnxLibrary*> onnx_library(const SessionOptions& options);

}  // namespace weir::model
