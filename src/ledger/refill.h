#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "ledger/feedback_index.h"
#include "ledger/snapshot.h"
#include "table/worker.h"

// What a feedback index held before a restart, as the ledger knows it.

namespace weir::ledger {

struct RefillOptions {
  std::size_t records = 0;  // The newest ones are read, at most this many.
  std::function<bool()> is_stopping = [] { return false; };
};

// Puts the newest records of an endpoint into an empty index, in the order of recorded_at, and
// applies the labels that came since the oldest of them; of all labels when all records fit.
// Returns how many records were put in.
Result<std::size_t> refill(
    FeedbackIndex& index,
    const Snapshot& snapshot,
    std::string_view endpoint,
    table::Worker& worker,
    const RefillOptions& options
);

}  // namespace weir::ledger
