#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/signature.h"

// The file `<artifact>.yaml`, by which a person says what the artifact does not (docs/sidecar.md).
// apply_sidecar itself is declared in signature.h.

namespace weir::model {

struct SidecarOptions {
  std::uint64_t max_sidecar_bytes = 1ULL << 20;
};

// The text of the sidecar of the artifact at `path`; empty when there is none.
Result<std::string> read_sidecar(const std::string& path, const SidecarOptions& options = {});

// `device: cuda`, likewise.
Result<bool> wants_cuda(std::string_view yaml, std::string_view file);

// `isolation: process`, which has to be known before the artifact is loaded. Nothing else of the
// sidecar is looked at.
Result<bool> wants_own_process(std::string_view yaml, std::string_view file);

}  // namespace weir::model
