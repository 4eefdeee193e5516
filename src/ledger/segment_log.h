#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "ledger/catalog.h"
#include "ledger/segment_writer.h"

// The open end of the ledger for one kind of rows: one segment after the other.
// docs/ledger-format.md, section 4.

namespace weir::ledger {

// Thread-safe; one thread syncs while another appends, so that a slow sync delays no append.
class SegmentLog {
 public:
  struct Options {
    SegmentKind kind = SegmentKind::records;
    std::uint64_t max_bytes = 64ULL << 20;
    std::int64_t max_age_us = 60 * us_per_second;
    std::int64_t retry_interval_us = us_per_second;
    std::uint64_t min_free_bytes = 0;
  };
  struct State {
    std::optional<Error> failure;  // Why it does not write.
    Moment failing_since = 0;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::uint64_t errors = 0;
    std::uint64_t open_bytes = 0;        // Of the open segment.
    std::int64_t unsynced_since_ns = 0;  // monotonic_ns of the oldest; 0 = all is synced.
    std::string sync_failure;            // Of the last sync.
  };

  SegmentLog(
      Options options, FileSystem& files, Catalog& catalog, std::function<FileStem()> next_stem
  );
  // Seals and syncs.
  ~SegmentLog();

  // Appends a batch with one write. After an error nothing of it is in the log.
  Result<void> append(std::string_view endpoint, const tensor::Columns& columns);
  // Returns when everything appended before is on the device. One thread at a time.
  Result<void> sync();
  // Closes the open segment, so that it can be compacted.
  void seal();
  void seal_if_old();

  // Never waits for the disk.
  State state() const;

 private:
  Result<void> open_segment();
  Result<void> check_space();
  void seal_locked();
  void remember_failure(const Error& error);

  Options options_;
  FileSystem& files_;
  Catalog& catalog_;
  std::function<FileStem()> next_stem_;

  std::mutex mutex_;  // Held while appending.
  std::unique_ptr<SegmentWriter> writer_;
  StoredFilePointer file_;  // In the catalog from the first rows on.
  std::string relative_path_;
  FileStem stem_;
  std::int64_t first_row_ns_ = 0;
  std::int64_t retry_ns_ = 0;
  std::int64_t space_checked_ns_ = 0;
  bool is_unsynced_ = false;         // The open segment.
  bool is_folder_unsynced_ = false;  // A segment was created.
  std::vector<std::shared_ptr<AppendFile>> sealed_unsynced_;

  mutable std::mutex state_mutex_;  // Never held while the disk is asked.
  State state_;
  std::int64_t syncing_since_ns_ = 0;
};

}  // namespace weir::ledger
