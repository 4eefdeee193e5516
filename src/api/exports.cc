#include "api/exports.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/id.h"

namespace weir::api {

namespace fs = std::filesystem;

Exports::Exports(ExportOptions options) : options_(std::move(options)) {
  std::error_code error;
  fs::remove_all(options_.folder, error);
}

Result<Exports::Place> Exports::reserve(std::string_view ending, Moment now) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) {
    return fail(
        Code::unavailable, "cannot make the folder '{}': {}", options_.folder, error.message()
    );
  }
  const std::lock_guard lock(mutex_);
  expire(now);
  if (entries_.size() >= options_.max_files) {
    return fail(
        Code::exhausted,
        "{} exports wait to be fetched (max_files); fetch or delete one first",
        entries_.size()
    );
  }
  const auto text = make_uuid7(now).text();
  Place place;
  place.id.assign(text.data(), text.size());
  place.path = (fs::path(options_.folder) / (place.id + std::string(ending))).string();
  entries_[place.id] = {place.path, now};
  return place;
}

void Exports::expire(Moment now) {
  std::error_code error;
  std::erase_if(entries_, [&](const auto& entry) {
    if (now - entry.second.used_at < options_.keep_us) return false;
    fs::remove(entry.second.path, error);
    return true;
  });
}

Result<std::string> Exports::read(std::string_view id, std::uint64_t offset, Moment now) {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
      return fail(Code::not_found, "there is no export '{}'; it may have been kept too long", id);
    }
    found->second.used_at = now;
    path = found->second.path;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::unavailable, "the export '{}' is not written yet", id);
  file.seekg(static_cast<std::streamoff>(offset));
  std::string bytes(options_.max_chunk_bytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

Result<void> Exports::remove(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return fail(Code::not_found, "there is no export '{}'", id);
  std::error_code error;
  fs::remove(found->second.path, error);
  entries_.erase(found);
  return {};
}

}  // namespace weir::api
