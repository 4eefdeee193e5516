#include <algorithm>

#include <fmt/core.h>

#include "base/log.h"
#include "ledger/maintenance.h"
#include "ledger/recovery.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

// Each day that a statement writes takes memory until it ends, so one statement writes this many.
constexpr std::size_t days_per_statement = 64;

// The rows of one endpoint in some segments.
struct Source {
  std::vector<std::string> paths = {};
  std::string endpoint;
  FileKind kind = FileKind::records;
  RowRange range = {};

  // Those of whole days, from the first moment of one to the last moment of another.
  std::string rows(Moment first, Moment last) const {
    return fmt::format(
        "weir_segments({}::VARCHAR[], {}, '{}@{},{}') WHERE \"time\" BETWEEN {} AND {}",
        quote_list(paths),
        quote_text(endpoint),
        kind == FileKind::records ? "records" : "feedback",
        first,
        last,
        first,
        last
    );
  }
};

struct Days {
  Moment first = 0;
  Moment last = 0;
  bool is_one() const { return to_day(first) == to_day(last); }
};

// Into one file, or into one file for each day.
std::string copy_statement(const Source& source, const Days& days, const std::string& target) {
  const std::string_view day =
      days.is_one() ? "" : ", strftime(make_timestamp(\"time\"), '%Y-%m-%d') AS weir_day";
  return fmt::format(
      "COPY (SELECT * REPLACE (make_timestamp(\"time\") AS \"time\", make_timestamp(recorded_at) "
      "AS "
      "recorded_at){} FROM {}) TO {} (FORMAT parquet, COMPRESSION zstd{})",
      day,
      source.rows(days.first, days.last),
      quote_text(target),
      days.is_one() ? "" : ", PARTITION_BY (weir_day)"
  );
}

// The days that have rows, in groups that one statement can write.
Result<std::vector<Days>> group_days(Workshop& workshop, Rewrite& rewrite, const Source& source) {
  const Days all{source.range.min_time, source.range.max_time};
  constexpr auto most = static_cast<Moment>(days_per_statement) * us_per_day;
  if (all.last - all.first < most - us_per_day) return std::vector<Days>{all};
  const std::string answer = TRY(rewrite.make_path("days.csv"));
  TRY(workshop.run_sql(fmt::format(
      "COPY (SELECT epoch_us(date_trunc('day', make_timestamp(\"time\"))) AS day, count(*) FROM {} "
      "GROUP BY day ORDER BY day) TO {} (FORMAT csv, HEADER false)",
      source.rows(all.first, all.last),
      quote_text(answer)
  )));
  std::vector<Days> groups;
  std::size_t days_in_group = days_per_statement;
  for (const auto& [day, rows] : TRY(read_number_pairs(workshop.files, answer))) {
    if (days_in_group == days_per_statement) {
      groups.push_back({day, day});
      days_in_group = 0;
    }
    groups.back().last = day + us_per_day - 1;
    ++days_in_group;
  }
  return groups;
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
    auto done = finish_unfinished(workshop_);
    const Job job = next_job(max_segments);
    if (done && job.segments.empty()) break;
    if (done) done = compact_job(job);
    if (done) {
      max_segments = max_segments > SIZE_MAX / 2 ? SIZE_MAX : max_segments * 2;
      continue;
    }
    if (workshop_.is_stopping()) return done;
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
  Source source{.endpoint = endpoint, .kind = kind};
  for (const CatalogEntry& segment : job.segments) {
    const auto found = segment.facts.summary.find(endpoint);
    if (parquet_kind(segment.file->kind()) != kind || found == segment.facts.summary.end())
      continue;
    source.range.add(found->second);
    source.paths.push_back(workshop_.catalog.path_of(*segment.file));
  }
  const std::string encoded = TRY(encode_endpoint(endpoint));
  std::uint64_t copied = 0;
  std::size_t number = 0;
  for (const Days& days : TRY(group_days(workshop_, rewrite, source))) {
    const std::string name = fmt::format(
        "{}-{}-{}{}",
        kind == FileKind::records ? "records" : "feedback",
        encoded,
        number++,
        days.is_one() ? ".parquet" : ""
    );
    const std::string target = TRY(rewrite.make_path(name));
    copied += TRY(workshop_.run_sql(copy_statement(source, days, target)));
    TRY(rewrite.add(
        name,
        {.kind = kind,
         .endpoint = endpoint,
         .day = to_day(days.first),
         .newest_recorded_at = source.range.max_recorded_at}
    ));
  }
  if (copied != source.range.rows) {
    TRY(explain_missing_rows(source.paths, endpoint, source.range.rows, copied));
  }
  count([&](Counts& counts) {
    ++counts.compactions;
    counts.compacted_rows += copied;
  });
  return {};
}

// Blocks that went bad on the disk since they were written are passed over, and only that.
Result<void> Maintenance::explain_missing_rows(
    const std::vector<std::string>& paths,
    const std::string& endpoint,
    std::uint64_t promised,
    std::uint64_t copied
) {
  std::uint64_t readable = 0;
  for (const std::string& path : paths) {
    const Scanned scanned = TRY(scan_segment(path, true));
    const auto found = scanned.summary.find(endpoint);
    if (found != scanned.summary.end()) readable += found->second.rows;
  }
  if (copied != readable || copied > promised) {
    return fail(
        Code::internal,
        "compaction of '{}' copied {} of {} rows; the segments stay",
        endpoint,
        copied,
        readable
    );
  }
  LOG(error, "ledger: {} rows of '{}' are damaged and lost", promised - copied, endpoint);
  count([&](Counts& counts) { counts.lost_rows += promised - copied; });
  return {};
}

}  // namespace weir::ledger
