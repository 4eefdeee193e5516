#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ledger/format.h"
#include "ledger/paths.h"
#include "ledger/snapshot.h"

// Which files make up the ledger now.

namespace weir::ledger {

enum class FileKind : std::uint8_t { segment, feedback_segment, records, feedback };

// A file of the ledger. What may change is guarded by the catalog's lock.
class StoredFile {
 public:
  StoredFile(FileKind kind, FileStem stem, std::string relative_path)
      : kind_(kind), stem_(std::move(stem)), relative_path_(std::move(relative_path)) {}

  FileKind kind() const { return kind_; }
  const FileStem& stem() const { return stem_; }
  // Below the ledger's folder.
  const std::string& relative_path() const { return relative_path_; }

 private:
  friend class Catalog;
  FileKind kind_;
  FileStem stem_;
  std::string relative_path_;
  // Its last owner lets go of this: see Catalog::swap.
  std::shared_ptr<void> when_gone_;
};
using StoredFilePointer = std::shared_ptr<StoredFile>;

// What is known of a file.
struct FileFacts {
  std::string endpoint = {};  // Parquet files only, like day.
  std::string day = {};
  std::uint64_t bytes = 0;
  Moment newest_recorded_at = 0;
  bool is_sealed = true;  // Segments: nothing is appended any more.
  Summary summary = {};   // Sealed segments.
};

// A file and what was known of it when the question was asked.
struct CatalogEntry {
  StoredFilePointer file;
  FileFacts facts;
};

// Thread-safe.
class Catalog {
 public:
  // `folder` is the ledger's.
  explicit Catalog(std::string folder) : folder_(std::move(folder)) {}

  void add(StoredFilePointer file, FileFacts facts);
  void update(const StoredFilePointer& file, FileFacts facts);

  // Takes some files out and puts others in, at once for every snapshot. `when_gone` is called when
  // no snapshot names any of the removed files any more: at the end of this call, or later on
  // whatever thread drops the last snapshot.
  void swap(
      std::span<const StoredFilePointer> removed,
      std::vector<CatalogEntry> added,
      std::function<void()> when_gone
  );

  // All files, or those of one kind, oldest first.
  std::vector<CatalogEntry> entries() const;
  std::vector<CatalogEntry> entries(FileKind kind) const;
  // Segments of both kinds that are sealed, oldest first.
  std::vector<CatalogEntry> sealed_segments() const;

  struct Totals {
    std::uint64_t segments = 0;
    std::uint64_t sealed_segments = 0;
    std::uint64_t sealed_segment_bytes = 0;
    std::uint64_t parquet_files = 0;
    std::uint64_t parquet_bytes = 0;
  };
  Totals totals() const;
  // Grows with every change.
  std::uint64_t version() const { return version_.load(); }

  Snapshot snapshot() const;
  const std::string& folder() const { return folder_; }
  std::string path_of(const StoredFile& file) const {
    return join_path(folder_, file.relative_path());
  }

 private:
  std::string folder_;
  mutable std::mutex mutex_;
  std::vector<CatalogEntry> entries_;
  std::atomic<std::uint64_t> version_{1};
};

// Names one more file in a snapshot.
void add_to_snapshot(Snapshot& snapshot, const Catalog& catalog, const CatalogEntry& entry);

}  // namespace weir::ledger
