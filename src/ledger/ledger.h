#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "ledger/feedback.h"
#include "ledger/snapshot.h"
#include "table/worker.h"
#include "tensor/columns.h"

// The append-only log of predictions and feedback: segments that are written at once, and Parquet
// files that a worker process makes of them later. What is on disk: docs/ledger-format.md.

namespace weir::ledger {

struct Options {
  std::string folder;  // DATA/ledger; made when it is missing.

  std::uint64_t segment_max_bytes = 64ULL << 20;
  std::int64_t segment_max_age_us = 60 * us_per_second;
  std::int64_t sync_interval_us = 500'000;  // At most this long between two syncs of records.
  // After a failed write, a new segment is tried this often.
  std::int64_t retry_interval_us = us_per_second;
  // With less free space, nothing is written: the rest of the disk belongs to others.
  std::uint64_t min_free_bytes = 64ULL << 20;
  std::size_t max_feedback_waiting = 1 << 20;  // Rows that wait for their sync.
  std::size_t max_block_bytes = 256ULL << 20;  // A larger batch is refused.

  bool maintain = true;  // Compact, merge and delete in the background.
  std::int64_t maintain_interval_us = us_per_second;
  std::uint64_t compaction_max_bytes = 512ULL << 20;  // Segments in one compaction.
  std::size_t merge_files = 16;  // Files of a day, not larger than merge_max_bytes, before a merge.
  std::uint64_t merge_max_bytes = 64ULL << 20;
  std::size_t merge_days = 32;            // Days merged in one statement.
  std::int64_t retention_us = 0;          // By recorded_at; 0 keeps everything.
  std::uint64_t retention_max_bytes = 0;  // Of all files together; 0 sets no limit.
};

struct LedgerStatus {
  bool writing = true;  // Records reach the disk.
  std::string failure;  // Why they do not; empty while they do.
  Moment failing_since = 0;
  std::uint64_t rows_written = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t feedback_written = 0;
  std::uint64_t feedback_errors = 0;
  std::string feedback_failure;  // Of the last feedback; empty when it was written.
  std::int64_t sync_age_us = 0;  // How long the oldest unsynced record has waited; 0 = none waits.
  std::string sync_failure;      // Of the last sync; empty when it went well.

  std::uint64_t segments = 0;  // Files on disk that are not in Parquet yet, the open one included.
  std::uint64_t segment_bytes = 0;
  std::uint64_t parquet_files = 0;
  std::uint64_t parquet_bytes = 0;

  std::uint64_t torn_bytes = 0;      // Cut off at the last start: the tail of a write that broke.
  std::uint64_t damaged_blocks = 0;  // Blocks with a wrong checksum before the tail.

  std::uint64_t backlog_segments = 0;  // Sealed, waiting for compaction.
  std::uint64_t compactions = 0;
  std::uint64_t compacted_rows = 0;
  std::uint64_t merges = 0;
  std::uint64_t erased_rows = 0;
  std::uint64_t expired_files = 0;
  std::uint64_t lost_rows = 0;     // Found damaged when they were compacted.
  std::string compaction_failure;  // Of the last try; empty when it went well.
};

// Thread-safe, except where it says so. It owns its threads: one syncs, one writes feedback, one
// maintains.
class Ledger {
 public:
  using Done = std::function<void(Result<void>)>;

  // Recovers what is there. `files` and `worker` must outlive the ledger; without a worker nothing
  // is compacted, and segments stay as they are.
  static Result<std::unique_ptr<Ledger>> open(
      Options options, FileSystem& files = system_files(), table::Worker* worker = nullptr
  );
  // Seals and syncs. Feedback that waits is written first.
  ~Ledger();

  // Appends a batch of records; it is with the operating system when this returns. On an error
  // nothing of the batch is in the ledger, and it may be written again: while the disk refuses,
  // every call fails at once, and a new segment is tried once per retry_interval_us.
  // One thread at a time. Requires: columns were made from record_specs.
  Result<void> write(std::string_view endpoint, const tensor::Columns& columns);

  // Calls `done` once everything written so far is on the device. On the sync thread, soon.
  void when_synced(Done done);

  // Returns when the feedback is on the device. Callers at the same time share one sync.
  Result<void> append_feedback(std::string_view endpoint, std::span<const Feedback> feedback);
  // The same without waiting: `done` is called on the feedback thread, or right here when
  // max_feedback_waiting is reached.
  void append_feedback(std::string_view endpoint, std::vector<Feedback> feedback, Done done);

  // The files that hold everything written before this call, for as long as it is kept.
  Snapshot snapshot() const;

  // Seals what is open and compacts all of it; returns when it is done.
  Result<void> compact();

  // Removes every record with this key_hash, of one endpoint or of all, and the feedback of the
  // records' ids. Returns how many records were removed. When it returns, no file of this ledger
  // holds them; a snapshot that is still kept may. Files of other processes that write into the
  // same folder are theirs to erase.
  Result<std::uint64_t> erase(std::optional<std::string_view> endpoint, std::uint64_t key_hash);

  LedgerStatus status() const;

 private:
  struct Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::ledger
