#include <algorithm>

#include "base/log.h"
#include "ledger/maintenance.h"

namespace weir::ledger {

void Maintenance::expire(Moment now, std::uint64_t open_bytes) {
  if (options_.retention_us == 0 && options_.retention_max_bytes == 0) return;
  const std::scoped_lock lock(work_mutex_);
  std::vector<CatalogEntry> entries = workshop_.catalog.entries();
  std::erase_if(entries, [](const CatalogEntry& entry) { return !entry.facts.is_sealed; });
  std::stable_sort(
      entries.begin(),
      entries.end(),
      [](const CatalogEntry& a, const CatalogEntry& b) {
        return a.facts.newest_recorded_at < b.facts.newest_recorded_at;
      }
  );
  std::uint64_t total = open_bytes;
  for (const CatalogEntry& entry : entries) total += entry.facts.bytes;
  for (const CatalogEntry& entry : entries) {
    const bool is_old =
        options_.retention_us != 0 && entry.facts.newest_recorded_at < now - options_.retention_us;
    const bool is_too_much =
        options_.retention_max_bytes != 0 && total > options_.retention_max_bytes;
    if (!is_old && !is_too_much) break;
    total -= entry.facts.bytes;
    // One file is removed by one step, so there is nothing that a crash could leave half done.
    const std::string path = workshop_.catalog.path_of(*entry.file);
    LOG(info, "ledger: '{}' is past its {}", path, is_old ? "age" : "share of the disk");
    workshop_.catalog.swap(std::span(&entry.file, 1), {}, [&files = workshop_.files, path] {
      if (auto removed = files.remove(path); !removed) {
        LOG(warning, "ledger: {}", removed.error().message);
      }
    });
    count([](Counts& counts) { ++counts.expired_files; });
  }
}

}  // namespace weir::ledger
