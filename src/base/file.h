#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The disk, behind one interface, so that tests can make it full, slow, read-only or forgetful.

namespace weir {

// A file that is only appended to. One thread at a time. Closed by the destructor.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // All bytes or an error; after an error the file may hold a part of them.
  virtual Result<void> append(std::span<const std::byte> bytes) = 0;
  // Returns when the bytes are on the device (fdatasync).
  virtual Result<void> sync() = 0;
  virtual std::uint64_t size() const = 0;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Creates the file; an existing one is a conflict.
  virtual Result<std::unique_ptr<AppendFile>> create(const std::string& path) = 0;
  virtual Result<std::string> read(const std::string& path) = 0;
  // Writes to a temporary name, syncs, renames, syncs the folder: all or nothing.
  virtual Result<void> write_whole(const std::string& path, std::string_view bytes) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> make_folders(const std::string& path) = 0;
  // Makes renames, creations and removals inside the folder durable.
  virtual Result<void> sync_folder(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

// The real one.
FileSystem& system_files();

// Refuses what is no regular file (a pipe would never end) and what has more bytes than `limit`,
// the name of the bound, allows.
Result<void> check_regular_file(
    const std::string& path, std::uint64_t max_bytes, std::string_view limit
);

// The error of the last system call as "cannot WHAT 'PATH': reason"; ENOSPC and EDQUOT are
// `exhausted`, ENOENT is `not_found`, everything else `unavailable`.
Error system_error(std::string_view what, std::string_view path);

}  // namespace weir
