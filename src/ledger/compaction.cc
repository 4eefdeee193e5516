#include <algorithm>

#include <fmt/core.h>

#include "base/log.h"
#include "ledger/maintenance.h"
#include "ledger/recovery.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

constexpr std::string_view parquet_options = "FORMAT parquet, COMPRESSION zstd";

// The segments' rows of one endpoint into one file, or into one file for each day.
std::string copy_statement(
    std::span<const std::string> paths,
    std::string_view endpoint,
    FileKind kind,
    bool is_one_day,
    const std::string& target
) {
  const std::string_view day =
      is_one_day ? "" : ", strftime(make_timestamp(\"time\"), '%Y-%m-%d') AS weir_day";
  const std::string_view partition = is_one_day ? "" : ", PARTITION_BY (weir_day)";
  return fmt::format(
      "COPY (SELECT * REPLACE (make_timestamp(\"time\") AS \"time\", make_timestamp(recorded_at) "
      "AS "
      "recorded_at){} FROM weir_segments({}::VARCHAR[], {}, {})) TO {} ({}{})",
      day,
      quote_list(paths),
      quote_text(endpoint),
      kind == FileKind::records ? "'records'" : "'feedback'",
      quote_text(target),
      parquet_options,
      partition
  );
}

FileKind parquet_kind(FileKind segment_kind) {
  return segment_kind == FileKind::segment ? FileKind::records : FileKind::feedback;
}

}  // namespace

struct Maintenance::Job {
  std::vector<CatalogEntry> segments;
};

Maintenance::Maintenance(Options options, Workshop workshop)
    : options_(options), workshop_(std::move(workshop)) {}

Maintenance::Counts Maintenance::counts() const {
  const std::scoped_lock lock(counts_mutex_);
  return counts_;
}

Maintenance::Job Maintenance::next_job(std::size_t max_segments) {
  Job job;
  std::uint64_t bytes = 0;
  for (CatalogEntry& entry : workshop_.catalog.sealed_segments()) {
    const auto stuck = stuck_until_ns_.find(entry.file->relative_path());
    if (stuck != stuck_until_ns_.end() && monotonic_ns() < stuck->second) continue;
    bytes += entry.facts.bytes;
    if (!job.segments.empty() &&
        (bytes > options_.compaction_max_bytes || job.segments.size() == max_segments)) {
      break;
    }
    job.segments.push_back(std::move(entry));
  }
  return job;
}

Result<void> Maintenance::compact() {
  const std::scoped_lock lock(work_mutex_);
  Result<void> result;
  std::size_t max_segments = SIZE_MAX;
  while (!workshop_.is_stopping()) {
    const Job job = next_job(max_segments);
    if (job.segments.empty()) break;
    auto done = compact_job(job);
    if (done) {
      max_segments = max_segments > SIZE_MAX / 2 ? SIZE_MAX : max_segments * 2;
      continue;
    }
    LOG(warning, "ledger: cannot compact: {}", done.error().message);
    if (result) result = done;
    // Without a worker there is no use in trying others; a swap in progress must end first.
    if (done.error().code == Code::unavailable || workshop_.unfinished) break;
    if (job.segments.size() > 1) {
      max_segments = (job.segments.size() + 1) / 2;
      continue;
    }
    stuck_until_ns_[job.segments.front().file->relative_path()] =
        monotonic_ns() + options_.stuck_interval_us * 1'000;
  }
  count([&](Counts& counts) { counts.failure = result ? "" : result.error().message; });
  return result;
}

Result<void> Maintenance::compact_job(const Job& job) {
  Rewrite rewrite = TRY(Rewrite::begin(workshop_));
  std::set<std::pair<FileKind, std::string>> wanted;
  for (const CatalogEntry& segment : job.segments) {
    for (const auto& [endpoint, range] : segment.facts.summary) {
      wanted.emplace(parquet_kind(segment.file->kind()), endpoint);
    }
  }
  for (const auto& [kind, endpoint] : wanted) {
    TRY(compact_endpoint(rewrite, job, kind, endpoint));
  }
  for (const CatalogEntry& segment : job.segments) {
    rewrite.remove(segment.file);
    stuck_until_ns_.erase(segment.file->relative_path());
  }
  return rewrite.commit();
}

Result<void> Maintenance::compact_endpoint(
    Rewrite& rewrite, const Job& job, FileKind kind, const std::string& endpoint
) {
  RowRange range;
  std::vector<std::string> paths;
  for (const CatalogEntry& segment : job.segments) {
    const auto found = segment.facts.summary.find(endpoint);
    if (parquet_kind(segment.file->kind()) != kind || found == segment.facts.summary.end())
      continue;
    range.add(found->second);
    paths.push_back(workshop_.catalog.path_of(*segment.file));
  }
  const std::string day = to_day(range.min_time);
  const bool is_one_day = day == to_day(range.max_time);
  const std::string name = fmt::format(
      "{}-{}{}",
      kind == FileKind::records ? "records" : "feedback",
      TRY(encode_endpoint(endpoint)),
      is_one_day ? ".parquet" : ""
  );
  const std::string target = TRY(rewrite.make_path(name));
  const std::uint64_t copied =
      TRY(workshop_.run_sql(copy_statement(paths, endpoint, kind, is_one_day, target)));
  if (copied != range.rows) {
    // Blocks that went bad on the disk since they were written are passed over, and only that.
    std::uint64_t readable = 0;
    for (const std::string& path : paths) {
      const Scanned scanned = TRY(scan_segment(path, true));
      const auto found = scanned.summary.find(endpoint);
      if (found != scanned.summary.end()) readable += found->second.rows;
    }
    if (copied != readable) {
      return fail(
          Code::internal,
          "compaction of '{}' copied {} of {} rows; the segments stay",
          endpoint,
          copied,
          readable
      );
    }
    LOG(error, "ledger: {} rows of '{}' are damaged and lost", range.rows - copied, endpoint);
    count([&](Counts& counts) { counts.lost_rows += range.rows - copied; });
  }
  TRY(rewrite.add(
      name,
      {.kind = kind, .endpoint = endpoint, .day = day, .newest_recorded_at = range.max_recorded_at}
  ));
  count([&](Counts& counts) {
    ++counts.compactions;
    counts.compacted_rows += copied;
  });
  return {};
}

}  // namespace weir::ledger
