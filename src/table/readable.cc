#include "table/readable.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

namespace weir::table {
namespace {

// The path with its links resolved as far as it exists; empty when it cannot be resolved.
std::string resolve(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return {};
  std::string resolved = std::filesystem::weakly_canonical(absolute, error).string();
  if (error) return {};
  while (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  return resolved;
}

std::string as_folder(const std::string& path) {
  return path.ends_with('/') ? path : path + "/";
}

}  // namespace

Readable::Readable(std::span<const std::string> paths) {
  for (const std::string& path : paths) {
    const std::string resolved = resolve(path);
    if (resolved.empty()) continue;
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(path, error);
    const std::array<std::string, 3> forms = {resolved, absolute.lexically_normal().string(), path};
    if (std::filesystem::is_directory(resolved, error) || path.ends_with('/')) {
      folders_.push_back(as_folder(resolved));
      for (const std::string& form : forms) all_folders_.push_back(as_folder(form));
    } else {
      files_.push_back(resolved);
      all_files_.insert(all_files_.end(), forms.begin(), forms.end());
    }
  }
}

bool Readable::allows(const std::string& path) const {
  if (is_everything_) return true;
  const std::string resolved = resolve(path);
  if (resolved.empty()) return false;
  return std::ranges::find(files_, resolved) != files_.end() ||
         std::ranges::any_of(folders_, [&](const std::string& folder) {
           return resolved.starts_with(folder) || resolved + "/" == folder;
         });
}

}  // namespace weir::table
