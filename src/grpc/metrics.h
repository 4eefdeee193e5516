#pragma once

#include <vector>

#include "grpc/server.h"
#include "metrics/registry.h"

namespace weir::grpc {

// What /metrics shows of this transport; docs/grpc.md lists it. Shown as long as the callbacks
// live; the server must outlive them.
[[nodiscard]] std::vector<metrics::Registry::Callback> show_metrics(
    metrics::Registry& registry, const Server& server
);

}  // namespace weir::grpc
