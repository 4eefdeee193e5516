#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "model/sidecar.h"

namespace weir::model {

// A model file with its sidecar, kept under the hash of both.
struct Artifact {
  std::string sha256;
  std::string file_name;  // As it was given: its ending tells the format.
  std::string path;       // Where it lies in the catalog.
  std::uint64_t bytes = 0;
  Moment added_at = 0;
  bool has_sidecar = false;  // At path + ".yaml".
};

struct CatalogOptions {
  std::string folder;  // DATA/artifacts; made when it is missing.
  std::uint64_t max_artifact_bytes = 4ULL << 30;
  SidecarOptions sidecar = {};
};

// Keeps artifacts by content hash: FOLDER/<sha256>/<file name>[.yaml]. The same content is kept
// once. Thread-safe.
class Catalog {
 public:
  static Result<Catalog> open(const CatalogOptions& options, FileSystem& files = system_files());

  // Copies a file and the sidecar beside it (`<path>.yaml`).
  Result<Artifact> add_file(const std::string& path);
  // The name that such a file would have here.
  Result<std::string> hash_file(const std::string& path) const;
  // The same from memory; an empty sidecar is none.
  Result<Artifact> add_bytes(
      std::string_view file_name, std::string_view bytes, std::string_view sidecar
  );
  Result<Artifact> find(std::string_view sha256) const;
  std::vector<Artifact> list() const;
  // Nobody may use it any more; whoever calls this makes sure.
  Result<void> remove(std::string_view sha256);

 private:
  struct Content {
    std::string bytes;
    std::string sidecar = {};
  };

  Catalog(CatalogOptions options, FileSystem& files)
      : options_(std::move(options)), files_(&files) {}

  Result<Content> read_file(const std::string& path) const;

  CatalogOptions options_;
  FileSystem* files_;
};

// The name of a version: SHA-256 of the model's bytes, followed by those of the sidecar if any.
std::string artifact_hash(std::string_view bytes, std::string_view sidecar);

}  // namespace weir::model
