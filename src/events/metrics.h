#pragma once

#include <vector>

#include "events/sink.h"
#include "metrics/registry.h"

namespace weir::events {

// What became of events, by endpoint, as long as the callbacks live; the sinks must outlive them.
[[nodiscard]] std::vector<metrics::Registry::Callback> show_metrics(
    metrics::Registry& registry, const Sinks& sinks
);

}  // namespace weir::events
