#include "model/catalog.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>

#include "base/hash.h"

namespace weir::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view sidecar_ending = ".yaml";

// Letters, digits, '.', '-' and '_'; anything else becomes '_', so that the name is one file.
std::string safe_name(std::string_view name) {
  std::string safe;
  for (const char c : name.substr(name.find_last_of('/') + 1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    safe += plain ? c : '_';
  }
  while (safe.starts_with('.')) safe.erase(0, 1);
  if (safe.size() > 200) safe.erase(0, safe.size() - 200);  // The ending tells the format.
  return safe.empty() ? "model" : safe;
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<Artifact> read_entry(const fs::path& folder) {
  std::error_code error;
  Artifact artifact;
  artifact.sha256 = folder.filename().string();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp")) continue;
    if (name.ends_with(sidecar_ending) &&
        fs::exists(folder / name.substr(0, name.size() - sidecar_ending.size()), error)) {
      artifact.has_sidecar = true;
      continue;
    }
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) != 0) continue;
    artifact.file_name = name;
    artifact.path = entry.path().string();
    artifact.bytes = static_cast<std::uint64_t>(status.st_size);
    artifact.added_at = status.st_mtim.tv_sec * us_per_second + status.st_mtim.tv_nsec / 1000;
  }
  if (artifact.path.empty()) return std::nullopt;
  return artifact;
}

}  // namespace

std::string artifact_hash(std::string_view bytes, std::string_view sidecar) {
  const std::string model = sha256(bytes);
  return sidecar.empty() ? model : sha256(model + sha256(sidecar));
}

Result<Catalog> Catalog::open(const CatalogOptions& options, FileSystem& files) {
  TRY(files.make_folders(options.folder));
  return Catalog(options, files);
}

Result<Artifact> Catalog::add_file(const std::string& path) {
  const Content content = TRY(read_file(path));
  return add_bytes(fs::path(path).filename().string(), content.bytes, content.sidecar);
}

Result<std::string> Catalog::hash_file(const std::string& path) const {
  const Content content = TRY(read_file(path));
  return artifact_hash(content.bytes, content.sidecar);
}

Result<Catalog::Content> Catalog::read_file(const std::string& path) const {
  TRY(check_regular_file(path, options_.max_artifact_bytes, "max_artifact_bytes"));
  std::error_code error;
  Content content{.bytes = TRY(files_->read(path))};
  const std::string sidecar_path = path + std::string(sidecar_ending);
  if (fs::exists(sidecar_path, error)) content.sidecar = TRY(files_->read(sidecar_path));
  return content;
}

Result<Artifact> Catalog::add_bytes(
    std::string_view file_name, std::string_view bytes, std::string_view sidecar
) {
  if (bytes.empty()) {
    return fail(Code::invalid_argument, "model file '{}' is empty", file_name);
  }
  if (bytes.size() > options_.max_artifact_bytes) {
    return fail(
        Code::invalid_argument,
        "model file '{}' has {} bytes; max_artifact_bytes allows {}",
        file_name,
        bytes.size(),
        options_.max_artifact_bytes
    );
  }
  if (sidecar.size() > options_.sidecar.max_sidecar_bytes) {
    return fail(
        Code::invalid_argument,
        "the sidecar of '{}' has {} bytes; max_sidecar_bytes allows {}",
        file_name,
        sidecar.size(),
        options_.sidecar.max_sidecar_bytes
    );
  }
  const std::string hash = artifact_hash(bytes, sidecar);
  if (auto known = find(hash)) return *known;
  const fs::path folder = fs::path(options_.folder) / hash;
  TRY(files_->make_folders(folder.string()));
  const std::string path = (folder / safe_name(file_name)).string();
  // The sidecar first: an entry counts as complete when its model file is there.
  if (!sidecar.empty()) TRY(files_->write_whole(path + std::string(sidecar_ending), sidecar));
  TRY(files_->write_whole(path, bytes));
  TRY(files_->sync_folder(options_.folder));
  return find(hash);
}

Result<Artifact> Catalog::find(std::string_view sha256) const {
  const auto missing = [&] {
    return fail(Code::not_found, "the catalog '{}' holds no artifact {}", options_.folder, sha256);
  };
  if (!is_hash(sha256)) return missing();
  auto artifact = read_entry(fs::path(options_.folder) / sha256);
  if (!artifact) return missing();
  return *std::move(artifact);
}

std::vector<Artifact> Catalog::list() const {
  std::vector<Artifact> artifacts;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(options_.folder, error)) {
    if (!is_hash(entry.path().filename().string())) continue;
    if (auto artifact = read_entry(entry.path())) artifacts.push_back(*std::move(artifact));
  }
  std::ranges::sort(artifacts, {}, &Artifact::added_at);
  return artifacts;
}

Result<void> Catalog::remove(std::string_view sha256) {
  const Artifact artifact = TRY(find(sha256));
  TRY(files_->remove(artifact.path));
  if (artifact.has_sidecar) TRY(files_->remove(artifact.path + std::string(sidecar_ending)));
  std::error_code error;
  fs::remove(fs::path(options_.folder) / sha256, error);
  return {};
}

}  // namespace weir::model
