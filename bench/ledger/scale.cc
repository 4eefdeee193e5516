// What the ledger costs at scale: writes N records of the electricity schema as a server at 1,000
// records a second would stamp them, compacts all of them while writing goes on, then counts them
// by version with SQL. One line per N; cost is CPU time per record of everything but the making of
// the records: writing, syncing, compacting and merging, in this process and in the worker.
//
//   ledger_scale WEIR FOLDER N…      WEIR is the program that the worker runs

#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include <fmt/core.h>
#include <sys/resource.h>

#include "base/id.h"
#include "ledger/ledger.h"
#include "ledger/record.h"
#include "ledger/views.h"
#include "table/worker.h"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t batch_rows = 300;
constexpr std::int64_t us_between_records = 1'000;
constexpr Moment first_moment = 1'700'000'000'000'000;

double cpu_seconds(int whose) {
  rusage usage{};
  ::getrusage(whose, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::shared_ptr<const tensor::ColumnSpecs> specs() {
  std::vector<tensor::ColumnSpec> features;
  for (const char* name :
       {"day_of_week", "period", "price", "demand", "vic_price", "vic_demand", "transfer", "date"})
    features.push_back({fmt::format("feature_{}", name), tensor::DataType::fp32});
  const std::vector<tensor::ColumnSpec> outputs = {
      {"class", tensor::DataType::int64},
      {"probabilities_0", tensor::DataType::fp32},
      {"probabilities_1", tensor::DataType::fp32}};
  return ledger::record_specs(features, outputs);
}

// Values with about as many digits as the real features have: 48 half hours, prices in cents.
void add_record(tensor::Columns& columns, Moment now, std::mt19937& random) {
  const auto id = make_uuid7(now).text();
  const float score = static_cast<float>(random() % 100'000) / 100'000;
  const bool is_up = score >= 0.5F;
  ledger::append_head(
      columns,
      {.id = {id.data(), id.size()},
       .time = now,
       .recorded_at = now,
       .version = static_cast<std::uint32_t>(1 + random() % 2),
       .arm = "primary",
       .reason = "default",
       .key_hash = random(),
       .decision = "answered",
       .score = score,
       .predicted = is_up ? "1" : "0",
       .latency_us = 10 + static_cast<double>(random() % 1'000) / 100,
       .queue_us = 0,
       .run_us = 5 + static_cast<double>(random() % 500) / 100}
  );
  for (std::size_t i = 0; i < 8; ++i)
    columns[ledger::head_width + i].add(static_cast<float>(random() % 10'000) / 10'000);
  columns[ledger::head_width + 8].add(std::int64_t{is_up});
  columns[ledger::head_width + 9].add(1 - score);
  columns[ledger::head_width + 10].add(score);
}

Result<std::string> count_by_version(const ledger::Ledger& ledger, table::Worker& worker) {
  const std::string sql = "select version, count(*) as records from electricity group by all";
  const ledger::Snapshot snapshot = ledger.snapshot();
  const std::vector<std::string> endpoints = {"electricity"};
  ledger::SqlViews views = ledger::make_views(snapshot, endpoints, sql);
  const table::QueryResult result = TRY(worker.query(
      {.setup = std::move(views.setup), .sql = sql, .readable = std::move(views.readable)}
  ));
  return result.json;
}

Result<void> measure(const std::string& weir, const std::string& folder, std::uint64_t records) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const double server_before = cpu_seconds(RUSAGE_SELF);
  const double worker_before = cpu_seconds(RUSAGE_CHILDREN);
  double making = 0;
  const auto begin = Clock::now();
  auto worker =
      std::make_unique<table::Worker>(table::WorkerOptions{.program = weir, .threads = 1});
  auto ledger =
      TRY(ledger::Ledger::open({.folder = folder + "/ledger"}, system_files(), worker.get()));
  std::mt19937 random(1);
  tensor::Columns batch(specs());
  for (std::uint64_t done = 0; done < records; done += batch.rows()) {
    const double before = cpu_seconds(RUSAGE_THREAD);
    batch.clear();
    for (std::uint64_t i = 0; i < std::min(batch_rows, records - done); ++i) {
      const auto at = static_cast<std::int64_t>(done + i);
      add_record(batch, first_moment + at * us_between_records, random);
    }
    making += cpu_seconds(RUSAGE_THREAD) - before;
    TRY(ledger->write("electricity", batch));
    constexpr std::uint64_t max_backlog = 8;
    if (done / batch_rows % 1'000 != 0) continue;
    std::fprintf(
        stderr,
        "\r%llu of %llu records",
        static_cast<unsigned long long>(done),
        static_cast<unsigned long long>(records)
    );
    while (ledger->status().backlog_segments > max_backlog)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  TRY(ledger->compact());
  std::fprintf(stderr, "\r%40s\r", "");
  const double wall = since(begin);
  const ledger::LedgerStatus status = ledger->status();
  worker->stop();
  const double server = cpu_seconds(RUSAGE_SELF) - server_before - making;
  const double compaction = cpu_seconds(RUSAGE_CHILDREN) - worker_before;
  const double each = 1e6 / static_cast<double>(records);

  table::Worker reader({.program = weir});
  TRY(reader.start());
  double fastest = 1e9;
  std::string counted;
  for (int i = 0; i < 3; ++i) {
    const auto asked = Clock::now();
    counted = TRY(count_by_version(*ledger, reader));
    fastest = std::min(fastest, since(asked));
  }
  fmt::print(
      "{:>11} records  CPU each: {:5.3f} µs server + {:5.3f} µs worker  {:7.1f} s wall  "
      "{:4.1f} B each in {} files of Parquet, {} merges  count {:.2f} s\n  {}\n",
      records,
      server * each,
      compaction * each,
      wall,
      static_cast<double>(status.parquet_bytes) / static_cast<double>(records),
      status.parquet_files,
      status.merges,
      fastest,
      counted
  );
  std::fflush(stdout);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: ledger_scale WEIR FOLDER N…\n");
    return 2;
  }
  for (int i = 3; i < argc; ++i) {
    std::uint64_t records = 0;
    const std::string_view text = argv[i];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), records);
    if (error != std::errc{} || end != text.data() + text.size() || records == 0) {
      fmt::print(stderr, "ledger_scale: '{}' is not a number of records\n", text);
      return 2;
    }
    const std::string folder = fmt::format("{}/{}", argv[2], records);
    if (const auto done = measure(argv[1], folder, records); !done) {
      fmt::print(stderr, "ledger_scale: {}\n", done.error().message);
      return 1;
    }
    std::filesystem::remove_all(folder);
  }
}
