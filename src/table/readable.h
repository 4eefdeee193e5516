#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::table {

// What a statement may read: files, and folders with everything below them. Symbolic links and
// ".." are resolved before anything is compared. Immutable.
class Readable {
 public:
  // Everything may be read.
  Readable() : is_everything_(true) {}
  explicit Readable(std::span<const std::string> paths);

  bool allows(const std::string& path) const;

  // The same for the database, which compares text: every path as it was given, as an absolute
  // one, and with its links resolved. Folders end with '/'.
  std::span<const std::string> files() const { return all_files_; }
  std::span<const std::string> folders() const { return all_folders_; }

 private:
  std::vector<std::string> files_;  // Resolved, like the folders.
  std::vector<std::string> folders_;
  std::vector<std::string> all_files_;
  std::vector<std::string> all_folders_;
  bool is_everything_ = false;
};

}  // namespace weir::table
