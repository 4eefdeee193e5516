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
  std::span<const std::string> files() const { return files_; }
  // Each ends with '/'.
  std::span<const std::string> folders() const { return folders_; }

 private:
  std::vector<std::string> files_;
  std::vector<std::string> folders_;
  bool is_everything_ = false;
};

}  // namespace weir::table
