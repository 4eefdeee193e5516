#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace weir::api {

struct ExportOptions {
  std::string folder;  // Made when it is missing, emptied at the start.
  std::size_t max_files = 16;
  std::int64_t keep_us = 600 * us_per_second;  // After the last read.
  std::uint64_t max_chunk_bytes = 4ULL << 20;  // Of one read.
};

// Files that were made for a client and wait to be fetched in chunks. Thread-safe.
class Exports {
 public:
  explicit Exports(ExportOptions options);

  // A new file's id and the path to write it at. The oldest idle one makes room when there are
  // max_files; files that nobody reads any more are deleted.
  struct Place {
    std::string id;
    std::string path;
  };
  Result<Place> reserve(std::string_view ending, Moment now);

  // The bytes from `offset` on, at most max_chunk_bytes; empty at the end.
  Result<std::string> read(std::string_view id, std::uint64_t offset, Moment now);
  Result<void> remove(std::string_view id);

 private:
  struct Entry {
    std::string path;
    Moment used_at = 0;
  };
  void expire(Moment now);

  ExportOptions options_;
  std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace weir::api
