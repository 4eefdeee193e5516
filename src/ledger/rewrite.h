#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "ledger/catalog.h"
#include "ledger/swap.h"

// Files of the ledger made anew by SQL: what compaction, merging and erasure have in common.

namespace weir::ledger {

// Runs trusted statements and returns how many rows the last one copied: table::Worker::execute.
using RunSql = std::function<Result<std::uint64_t>(std::string_view)>;

struct Workshop {
  FileSystem& files;
  Catalog& catalog;
  RunSql run_sql;
  std::function<FileStem()> next_stem;
  std::function<bool()> is_stopping = [] { return false; };
  // A swap that is decided but could not be carried out to its end: nothing else is changed before.
  std::function<Result<void>()> unfinished = {};
};

// Carries out what an earlier commit could not. To be called before the files of a new swap are
// chosen: they may be gone after it.
Result<void> finish_unfinished(Workshop& workshop);

// What SQL answered in a file of two whole numbers a line (FORMAT csv, HEADER false).
using NumberPairs = std::vector<std::pair<std::int64_t, std::int64_t>>;
Result<NumberPairs> read_number_pairs(FileSystem& files, const std::string& path);

// One swap in the making: SQL writes into its folder, then everything changes at once. When it is
// dropped before, nothing has changed. One thread at a time.
class Rewrite {
 public:
  // Requires: nothing is unfinished.
  static Result<Rewrite> begin(Workshop& workshop);
  Rewrite(Rewrite&& other) noexcept;
  Rewrite& operator=(Rewrite&&) = delete;
  ~Rewrite();

  // An absolute path below the folder of this swap, whose own folder exists.
  Result<std::string> make_path(const std::string& name);

  // The Parquet file at make_path(name) belongs to this endpoint and day; when `name` is a folder,
  // all files in it do, each of the day that its folder weir_day=… says. Files that SQL did not
  // write are passed over.
  struct Output {
    FileKind kind = FileKind::records;
    std::string endpoint;
    std::string day;
    Moment newest_recorded_at = 0;
  };
  Result<void> add(const std::string& name, const Output& output);
  void remove(StoredFilePointer file) { removed_.push_back(std::move(file)); }

  // Makes it so. After an error either nothing has changed, or the rest is in workshop.unfinished.
  Result<void> commit();

 private:
  Rewrite(Workshop& workshop, FileStem stem) : workshop_(&workshop), stem_(std::move(stem)) {}
  Result<void> add_file(const std::string& name, const Output& output, std::uint64_t bytes);
  Result<void> sync_outputs();

  Workshop* workshop_;
  FileStem stem_;
  std::vector<Swap::Added> added_;
  std::vector<CatalogEntry> entries_;  // Of added_.
  std::set<std::string> targets_;
  std::vector<StoredFilePointer> removed_;
  bool is_open_ = true;
};

}  // namespace weir::ledger
