#pragma once

#include <vector>

#include "metrics/registry.h"
#include "serve/routes.h"

namespace weir::api {

// The statistics of every loaded version once more, under the names that Triton gives them
// (nv_inference_*, labels model and version), so that dashboards made for Triton work as they are.
// Shown as long as the callbacks live; the routes must outlive them.
[[nodiscard]] std::vector<metrics::Registry::Callback> show_triton_metrics(
    metrics::Registry& registry, const serve::Routes& routes
);

}  // namespace weir::api
