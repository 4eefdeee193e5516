#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/rewrite.h"

// What happens to the files of the ledger after they were written: docs/ledger-format.md,
// section 6.

namespace weir::ledger {

// Thread-safe; one thing happens at a time.
class Maintenance {
 public:
  struct Options {
    std::uint64_t compaction_max_bytes = 512ULL << 20;
    std::size_t merge_files = 16;
    std::uint64_t merge_max_bytes = 64ULL << 20;
    std::size_t merge_days = 32;
    std::int64_t retention_us = 0;
    std::uint64_t retention_max_bytes = 0;
    // A segment whose compaction failed is left alone for this long; the others go on.
    std::int64_t stuck_interval_us = 600 * us_per_second;
  };
  struct Counts {
    std::uint64_t compactions = 0;
    std::uint64_t compacted_rows = 0;
    std::uint64_t merges = 0;
    std::uint64_t erased_rows = 0;
    std::uint64_t expired_files = 0;
    std::uint64_t lost_rows = 0;  // That a segment promised and that could not be read any more.
    std::string failure;          // Of the last compaction or merge; empty when it went well.
  };

  Maintenance(Options options, Workshop workshop);

  // Makes Parquet of every sealed segment. The first error is returned, after all others were
  // tried.
  Result<void> compact();
  // Joins small files of a day.
  Result<void> merge();
  // Deletes what is older or more than it may be. `open_bytes` is what the open segments hold.
  void expire(Moment now, std::uint64_t open_bytes);
  // Requires: nothing that was written before is in an open segment.
  Result<std::uint64_t> erase(std::optional<std::string_view> endpoint, std::uint64_t key_hash);

  // Never waits for work in progress.
  Counts counts() const;

 private:
  struct Job;  // Segments that are compacted together.
  Job next_job(std::size_t max_segments);
  Result<void> compact_job(const Job& job);
  Result<void> compact_endpoint(
      Rewrite& rewrite, const Job& job, FileKind kind, const std::string& endpoint
  );
  Result<void> explain_missing_rows(
      const std::vector<std::string>& paths,
      const std::string& endpoint,
      std::uint64_t promised,
      std::uint64_t copied
  );
  Result<void> merge_some(bool& has_more);
  Result<std::uint64_t> erase_endpoint(const std::string& endpoint, std::uint64_t key_hash);
  template <class Change>
  void count(Change&& change) {
    const std::scoped_lock lock(counts_mutex_);
    change(counts_);
  }

  Options options_;
  Workshop workshop_;
  std::mutex work_mutex_;
  std::map<std::string, std::int64_t> stuck_until_ns_;  // By relative path.
  mutable std::mutex counts_mutex_;
  Counts counts_;
};

}  // namespace weir::ledger
