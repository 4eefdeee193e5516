#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

// What the ledger asks of the operating system beyond base/file.h: reading in parts, listing,
// locks, and care for files that a worker process wrote.

namespace weir::ledger {

// Bytes that can be read at any offset.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills as much of `out` as there is and returns how much. Errors are those of the device.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) = 0;
  // Does not change: what is appended later is not seen.
  virtual std::uint64_t size() const = 0;
};
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

struct ListedFile {
  std::string name;  // Relative to the folder that was listed.
  std::uint64_t size = 0;
  Moment modified_at = 0;
};
// The plain files in a folder, sorted by name; none when there is no such folder. `recursive` goes
// into its folders too.
Result<std::vector<ListedFile>> list_files(const std::string& folder, bool recursive = false);
// The names of the folders in a folder, sorted.
Result<std::vector<std::string>> list_folders(const std::string& folder);

bool file_exists(const std::string& path);
// Cuts the file and makes the cut durable.
Result<void> truncate_file(const std::string& path, std::uint64_t size);
Result<void> set_modified(const std::string& path, Moment time);
// fsync of a file that another process wrote.
Result<void> sync_file(const std::string& path);
// One sync of the whole file system that holds the folder: cheaper than many single ones.
Result<void> sync_all(const std::string& folder);
Result<void> remove_tree(const std::string& folder);

// A lock between processes, held until it is destroyed or the process ends.
class FileLock {
 public:
  // Makes the file when it is missing. Nothing when another process, or another lock of this one,
  // holds it.
  static Result<std::unique_ptr<FileLock>> try_lock(const std::string& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace weir::ledger
