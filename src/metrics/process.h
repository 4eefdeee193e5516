#pragma once

#include "metrics/registry.h"

// What Prometheus clients show of their own process: CPU, memory, open files, threads, start time,
// read from /proc at scrape time; and weir_build_info.

namespace weir::metrics {

// The metrics are shown as long as the callbacks live.
[[nodiscard]] std::vector<Registry::Callback> show_process(Registry& registry);

}  // namespace weir::metrics
