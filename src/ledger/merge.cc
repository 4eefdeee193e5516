#include <algorithm>
#include <bit>
#include <tuple>

#include <fmt/core.h>

#include "base/log.h"
#include "ledger/maintenance.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

// Files whose sizes differ by less than eight times are of one class, and all very small ones are.
int size_class(std::uint64_t bytes) {
  constexpr std::uint64_t very_small = 128U << 10;
  return static_cast<int>(std::bit_width(bytes / very_small)) / 3;
}

}  // namespace

Result<void> Maintenance::merge() {
  const std::scoped_lock lock(work_mutex_);
  Result<void> result;
  bool has_more = true;
  while (has_more && result && !workshop_.is_stopping()) result = merge_some(has_more);
  if (!result && !workshop_.is_stopping()) {
    LOG(warning, "ledger: cannot merge: {}", result.error().message);
    count([&](Counts& counts) { counts.failure = result.error().message; });
  }
  return result;
}

Result<void> Maintenance::merge_some(bool& has_more) {
  has_more = false;
  TRY(finish_unfinished(workshop_));
  std::map<std::tuple<FileKind, std::string, std::string, int>, std::vector<CatalogEntry>> groups;
  for (CatalogEntry& entry : workshop_.catalog.entries()) {
    const FileKind kind = entry.file->kind();
    if (kind != FileKind::records && kind != FileKind::feedback) continue;
    if (entry.facts.bytes >= options_.merge_max_bytes) continue;
    auto key =
        std::tuple(kind, entry.facts.endpoint, entry.facts.day, size_class(entry.facts.bytes));
    groups[std::move(key)].push_back(std::move(entry));
  }
  std::erase_if(groups, [&](const auto& group) {
    return group.second.size() < std::max<std::size_t>(options_.merge_files, 2);
  });
  if (groups.empty()) return {};

  Rewrite rewrite = TRY(Rewrite::begin(workshop_));
  std::size_t number = 0;
  for (const auto& [key, entries] : groups) {
    if (number == options_.merge_days) {
      has_more = true;
      break;
    }
    const std::string name = fmt::format("{}.parquet", number++);
    const std::string target = TRY(rewrite.make_path(name));
    std::vector<std::string> paths;
    Rewrite::Output output{
        .kind = std::get<0>(key), .endpoint = std::get<1>(key), .day = std::get<2>(key)};
    for (const CatalogEntry& entry : entries) {
      paths.push_back(workshop_.catalog.path_of(*entry.file));
      output.newest_recorded_at =
          std::max(output.newest_recorded_at, entry.facts.newest_recorded_at);
      rewrite.remove(entry.file);
    }
    TRY(workshop_.run_sql(fmt::format(
        "COPY (SELECT * FROM {}) TO {} (FORMAT parquet, COMPRESSION zstd)",
        read_parquet(paths),
        quote_text(target)
    )));
    TRY(rewrite.add(name, output));
  }
  TRY(rewrite.commit());
  count([&](Counts& counts) { counts.merges += number; });
  return {};
}

}  // namespace weir::ledger
