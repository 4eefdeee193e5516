// What the ledger costs: per record on the recorder's thread, per byte at recovery, per prediction
// in the feedback index.

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "base/id.h"
#include "ledger/feedback_index.h"
#include "ledger/ledger.h"
#include "ledger/record.h"
#include "ledger/recovery.h"

namespace {

using namespace weir;
using namespace weir::ledger;

class Folder {
 public:
  Folder() {
    const auto text = make_uuid7(now_us()).text();
    path_ = std::filesystem::temp_directory_path() /
            ("weir-bench-" + std::string(text.begin(), text.end()));
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Eight features and three outputs, like the electricity market model.
std::shared_ptr<const tensor::ColumnSpecs> specs() {
  std::vector<tensor::ColumnSpec> features;
  for (int i = 0; i < 8; ++i)
    features.push_back({fmt::format("feature{}", i), tensor::DataType::fp32});
  const std::vector<tensor::ColumnSpec> outputs = {
      {"class", tensor::DataType::int64},
      {"probabilities_0", tensor::DataType::fp32},
      {"probabilities_1", tensor::DataType::fp32}};
  return record_specs(features, outputs);
}

void add_record(tensor::Columns& columns, std::string_view id, Moment now, std::mt19937& random) {
  const float score = static_cast<float>(random() % 10'000) / 10'000;
  append_head(
      columns,
      {.id = id,
       .time = now,
       .recorded_at = now,
       .version = 1,
       .arm = "primary",
       .reason = "default",
       .key_hash = random(),
       .decision = "answered",
       .score = score,
       .predicted = score >= 0.5F ? "1" : "0",
       .latency_us = 10 + score,
       .queue_us = 1,
       .run_us = 5 + score}
  );
  for (std::size_t i = 0; i < 8; ++i) columns[head_width + i].add(static_cast<float>(random()));
  columns[head_width + 8].add(std::int64_t{score >= 0.5F});
  columns[head_width + 9].add(1 - score);
  columns[head_width + 10].add(score);
}

tensor::Columns make_batch(int rows) {
  tensor::Columns columns(specs());
  std::mt19937 random(1);
  for (int i = 0; i < rows; ++i) {
    const auto id = make_uuid7(now_us()).text();
    add_record(columns, {id.data(), id.size()}, now_us(), random);
  }
  return columns;
}

// Turning values into columns: the recorder's part that the ledger defines.
void BM_AppendRecord(benchmark::State& state) {
  tensor::Columns columns(specs());
  std::mt19937 random(1);
  const auto id = make_uuid7(now_us()).text();
  for (auto _ : state) {
    if (columns.rows() == 1'000) columns.clear();
    add_record(columns, {id.data(), id.size()}, 1'700'000'000'000'000, random);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_AppendRecord);

// write() of a batch, the system call included.
void BM_Write(benchmark::State& state) {
  const Folder folder;
  Options options{.folder = folder.path(), .maintain = false};
  options.retention_max_bytes = 0;
  auto ledger = std::move(*Ledger::open(options));
  const tensor::Columns batch = make_batch(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    if (!ledger->write("electricity", batch)) state.SkipWithError("cannot write");
  }
  const auto rows = state.iterations() * state.range(0);
  state.SetItemsProcessed(rows);
  state.counters["bytes/record"] =
      static_cast<double>(ledger->status().bytes_written) / static_cast<double>(rows);
}
BENCHMARK(BM_Write)->Arg(1)->Arg(20)->Arg(300)->Arg(2'000)->Iterations(1'000);

// Checking every block of a segment of 64 MiB that was not closed.
void BM_Recover(benchmark::State& state) {
  const Folder folder;
  Options options{.folder = folder.path(), .segment_max_bytes = 1ULL << 40, .maintain = false};
  auto ledger = std::move(*Ledger::open(options));
  const tensor::Columns batch = make_batch(300);
  while (ledger->status().bytes_written < (64U << 20)) (void)ledger->write("electricity", batch);
  const std::string path = ledger->snapshot().segments.front();
  for (auto _ : state) benchmark::DoNotOptimize(scan_segment(path, true)->valid_bytes);
  state.SetBytesProcessed(
      state.iterations() * static_cast<std::int64_t>(std::filesystem::file_size(path))
  );
}
BENCHMARK(BM_Recover);

void BM_IndexInsert(benchmark::State& state) {
  FeedbackIndex index({});
  std::vector<std::string> ids;
  for (int i = 0; i < 300'000; ++i) ids.push_back(fmt::format("01939b5e-7c1f-7abc-8def-{:012}", i));
  std::vector<IndexedPrediction> batch(300);
  std::size_t next = 0;
  for (auto _ : state) {
    for (IndexedPrediction& prediction : batch) {
      next = next + 1 == ids.size() ? 0 : next + 1;
      prediction = {
          .id = ids[next],
          .recorded_at = static_cast<Moment>(next),
          .version = 1,
          .arm = "primary",
          .predicted = "1"};
    }
    index.insert(batch);
  }
  state.SetItemsProcessed(state.iterations() * 300);
}
BENCHMARK(BM_IndexInsert);

}  // namespace
