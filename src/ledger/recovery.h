#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "ledger/catalog.h"
#include "ledger/disk.h"

// What happens before a ledger takes its first record: docs/ledger-format.md, section 5.

namespace weir::ledger {

// Makes the folder a ledger, or refuses one of another format.
Result<void> check_format(FileSystem& files, const std::string& folder);

// The writers whose files are ours: the lowest name that was free, and all others whose process is
// gone. The locks are held as long as this lives.
struct Writers {
  std::string own;
  std::set<std::string> all;
  std::vector<std::unique_ptr<FileLock>> locks;
};
Result<Writers> take_writers(FileSystem& files, const std::string& folder);

struct Recovered {
  std::uint64_t torn_bytes = 0;
  std::uint64_t damaged_blocks = 0;
  std::uint64_t damaged_files = 0;
  std::uint64_t last_sequence = 0;  // The largest of `own` that is in use.
};
// Repairs the files of these writers and puts them into the catalog.
Result<Recovered> recover(FileSystem& files, const Writers& writers, Catalog& catalog);

// One segment, read from front to back.
struct Scanned {
  Summary summary;
  std::uint64_t valid_bytes = 0;  // Up to the end of the last valid block.
  std::uint64_t damaged_blocks = 0;
  bool has_footer = false;
};
// Trusts a footer unless `check_all`.
Result<Scanned> scan_segment(const std::string& path, bool check_all = false);

// The files of writers that are not ours, as they lie on disk now.
Result<std::vector<CatalogEntry>> list_others(
    const std::string& folder, const std::set<std::string>& ours
);

}  // namespace weir::ledger
