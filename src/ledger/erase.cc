#include <fmt/core.h>

#include "base/log.h"
#include "ledger/maintenance.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

// How many rows of each file a condition holds for, by the index of the file.
using Hits = std::map<std::size_t, std::uint64_t>;

std::vector<std::string> paths_of(const Catalog& catalog, std::span<const CatalogEntry> entries) {
  std::vector<std::string> paths;
  paths.reserve(entries.size());
  for (const CatalogEntry& entry : entries) paths.push_back(catalog.path_of(*entry.file));
  return paths;
}

// Finds the files with rows that a condition holds for.
Result<Hits> find_hits(
    Workshop& workshop,
    const std::string& answer,
    std::span<const CatalogEntry> entries,
    std::string_view condition
) {
  if (entries.empty()) return Hits();
  const std::string list = quote_list(paths_of(workshop.catalog, entries));
  TRY(workshop.run_sql(fmt::format(
      "COPY (SELECT list_position({}, weir_file) - 1, count(*) FROM read_parquet({}, union_by_name "
      "= "
      "true, hive_partitioning = false, filename = 'weir_file') WHERE {} GROUP BY ALL) TO {} "
      "(FORMAT csv, HEADER false)",
      list,
      list,
      condition,
      quote_text(answer)
  )));
  Hits hits;
  for (const auto& [file, rows] : TRY(read_number_pairs(workshop.files, answer))) {
    const auto index = static_cast<std::size_t>(file);
    if (file < 0 || index >= entries.size()) {
      return fail(Code::internal, "'{}' names a file that was not asked for", answer);
    }
    hits[index] = static_cast<std::uint64_t>(rows);
  }
  return hits;
}

// Writes each file that was hit again, without the rows that the condition holds for.
Result<void> rewrite_hits(
    Workshop& workshop,
    Rewrite& rewrite,
    std::span<const CatalogEntry> entries,
    const Hits& hits,
    std::string_view condition
) {
  for (const auto& [index, rows] : hits) {
    const CatalogEntry& entry = entries[index];
    const bool is_records = entry.file->kind() == FileKind::records;
    const std::string name =
        fmt::format("{}-{}.parquet", is_records ? "records" : "feedback", index);
    const std::string target = TRY(rewrite.make_path(name));
    const std::vector<std::string> source = {workshop.catalog.path_of(*entry.file)};
    const std::uint64_t kept = TRY(workshop.run_sql(fmt::format(
        "COPY (SELECT * FROM {} WHERE NOT coalesce({}, false)) TO {} (FORMAT parquet, COMPRESSION "
        "zstd)",
        read_parquet(source),
        condition,
        quote_text(target)
    )));
    rewrite.remove(entry.file);
    if (kept == 0) continue;  // The file that SQL wrote is without rows and goes with its folder.
    TRY(rewrite.add(
        name,
        {.kind = entry.file->kind(),
         .endpoint = entry.facts.endpoint,
         .day = entry.facts.day,
         .newest_recorded_at = entry.facts.newest_recorded_at}
    ));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> Maintenance::erase(
    std::optional<std::string_view> endpoint, std::uint64_t key_hash
) {
  TRY(compact());
  const std::scoped_lock lock(work_mutex_);
  for (const CatalogEntry& entry : workshop_.catalog.sealed_segments()) {
    if (!stuck_until_ns_.contains(entry.file->relative_path())) continue;
    return fail(
        Code::unavailable,
        "'{}' could not be compacted, so nothing can be erased from it: {}",
        workshop_.catalog.path_of(*entry.file),
        counts().failure
    );
  }
  std::set<std::string> endpoints;
  for (const CatalogEntry& entry : workshop_.catalog.entries(FileKind::records)) {
    if (!endpoint || entry.facts.endpoint == *endpoint) endpoints.insert(entry.facts.endpoint);
  }
  std::uint64_t erased = 0;
  for (const std::string& name : endpoints) {
    const std::uint64_t rows = TRY(erase_endpoint(name, key_hash));
    erased += rows;
    count([&](Counts& counts) { counts.erased_rows += rows; });
  }
  return erased;
}

Result<std::uint64_t> Maintenance::erase_endpoint(
    const std::string& endpoint, std::uint64_t key_hash
) {
  TRY(finish_unfinished(workshop_));
  const auto entries_of = [&](FileKind kind) {
    std::vector<CatalogEntry> entries = workshop_.catalog.entries(kind);
    std::erase_if(entries, [&](const CatalogEntry& entry) {
      return entry.facts.endpoint != endpoint;
    });
    return entries;
  };
  const auto records = entries_of(FileKind::records);
  const auto feedback = entries_of(FileKind::feedback);
  Rewrite rewrite = TRY(Rewrite::begin(workshop_));
  const std::string is_person = fmt::format("key_hash = {}::UBIGINT", key_hash);
  const std::string answer = TRY(rewrite.make_path("hits.csv"));
  const Hits record_hits = TRY(find_hits(workshop_, answer, records, is_person));
  if (record_hits.empty()) return std::uint64_t{0};

  std::vector<CatalogEntry> hit;
  std::uint64_t rows = 0;
  for (const auto& [index, count] : record_hits) {
    hit.push_back(records[index]);
    rows += count;
  }
  const std::string ids = TRY(rewrite.make_path("ids.parquet"));
  TRY(workshop_.run_sql(fmt::format(
      "COPY (SELECT DISTINCT id FROM {} WHERE {}) TO {} (FORMAT parquet)",
      read_parquet(paths_of(workshop_.catalog, hit)),
      is_person,
      quote_text(ids)
  )));
  const std::string has_id =
      fmt::format("id IN (SELECT id FROM read_parquet({}))", quote_text(ids));
  const Hits feedback_hits = TRY(find_hits(workshop_, answer, feedback, has_id));
  TRY(rewrite_hits(workshop_, rewrite, records, record_hits, is_person));
  TRY(rewrite_hits(workshop_, rewrite, feedback, feedback_hits, has_id));
  TRY(rewrite.commit());
  return rows;
}

}  // namespace weir::ledger
