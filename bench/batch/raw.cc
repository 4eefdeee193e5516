// What `weir batch` is measured against: the same model on the same rows that lie in memory
// already, in the same blocks, on as many threads, with nothing around it.
//
//   batch_raw WEIR make ROWS.csv.gz COPIES OUT.parquet     the electricity rows, so many times
//   batch_raw WEIR run MODEL ROWS.parquet THREADS          prints rows per second

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "model/session.h"
#include "table/worker.h"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

constexpr std::size_t block_rows = 4'096;
constexpr std::size_t width = 8;
// The model's columns; the first stands for the date, which the file has as a time.
constexpr const char* columns =
    "(epoch(time) / 1e9)::FLOAT AS date, day::FLOAT AS day, period::FLOAT AS period, "
    "nswprice::FLOAT AS nswprice, nswdemand::FLOAT AS nswdemand, vicprice::FLOAT AS vicprice, "
    "vicdemand::FLOAT AS vicdemand, transfer::FLOAT AS transfer";

class Block final : public model::Inference {
 public:
  void complete() override {}
};

Result<void> make(table::Worker& worker, char** arguments) {
  TRY(worker.execute(fmt::format(
      "COPY (SELECT {} FROM read_csv('{}'), range({})) TO '{}' (FORMAT parquet)",
      columns,
      arguments[3],
      arguments[4],
      arguments[5]
  )));
  return {};
}

Result<void> run(table::Worker& worker, char** arguments) {
  const auto session = TRY(model::load_session(arguments[3], {}));
  const table::FloatMatrix rows =
      TRY(worker.read_matrix(fmt::format("FROM read_parquet('{}')", arguments[4])));
  const int threads = std::stoi(arguments[5]);
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> all;
  const auto begin = Clock::now();
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      Block block;
      block.inputs.resize(1);
      for (std::size_t at = next.fetch_add(block_rows); at < rows.rows;
           at = next.fetch_add(block_rows)) {
        block.rows = std::min<std::size_t>(block_rows, rows.rows - at);
        block.inputs[0].reset(
            tensor::DataType::fp32,
            tensor::Shape{static_cast<std::int64_t>(block.rows), static_cast<std::int64_t>(width)}
        );
        std::memcpy(
            block.inputs[0].raw().data(),
            rows.values.data() + at * width,
            block.rows * width * sizeof(float)
        );
        session->infer(block);
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  const std::chrono::duration<double> took = Clock::now() - begin;
  fmt::print("{:.0f}\n", static_cast<double>(rows.rows) / took.count());
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  table::WorkerOptions options;
  options.program = arguments[1];
  options.max_matrix_bytes = 16ULL << 30;
  table::Worker worker(options);
  const bool is_making = std::string(arguments[2]) == "make";
  const Result<void> done = is_making ? make(worker, arguments) : run(worker, arguments);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return 1;
}
