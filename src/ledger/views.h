#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/snapshot.h"

// What SQL sees of the ledger. For an endpoint `fraud` there are three views:
//   fraud           one row per record, with `label` from the latest feedback
//   fraud_feedback  one row per label, event or tag
//   fraud_pairs     one row per shadow record beside the answer to the same request

namespace weir::ledger {

// What a table::Query takes; keep the snapshot until the query is done.
struct SqlViews {
  std::string setup;                  // Trusted statements that make the views.
  std::vector<std::string> readable;  // The files that they read.
};

// A SELECT of all rows of an endpoint: `kind` is 'records' or 'feedback'.
std::string select_all(const Snapshot& snapshot, std::string_view endpoint, std::string_view kind);

// The views for the endpoints that the query names; for all when it names none (SHOW TABLES). The
// join with the labels is left out of a view when the query cannot see it. `endpoints` adds those
// that may have no file yet; their views are empty.
SqlViews make_views(
    const Snapshot& snapshot, std::span<const std::string> endpoints, std::string_view query
);

}  // namespace weir::ledger
