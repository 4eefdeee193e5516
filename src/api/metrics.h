#pragma once

#include <vector>

#include "api/api.h"
#include "api/views.h"
#include "http/server.h"
#include "metrics/registry.h"

namespace weir::api {

// What /metrics shows besides the instruments of the lanes: ledger, recorder, shadows, comparisons,
// feedback, connections and the process. Shown as long as the callbacks live; the sources must
// outlive them.
[[nodiscard]] std::vector<metrics::Registry::Callback> show_metrics(
    metrics::Registry& registry, const Sources& sources, const http::Server& server, const Api& api
);

}  // namespace weir::api
