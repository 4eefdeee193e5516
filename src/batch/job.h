#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/match.h"
#include "batch/output.h"
#include "batch/parts.h"
#include "batch/queue.h"
#include "serve/predictor.h"
#include "table/typed_file.h"
#include "table/worker.h"

// Predicts all rows of a file into another file: one thread reads (the caller's), some predict,
// some write; each hands whole parts to the next, and few are on the way, so memory does not grow
// with the file.

namespace weir::batch {

struct Options {
  std::string in;
  std::string out;
  std::vector<std::string> columns;   // For the model's inputs, in their order; empty: by name.
  std::vector<std::string> keep;      // Columns of the input that the output takes over.
  bool restart = false;               // Throw away what an earlier try has left.
  bool with_ids = false;              // The predictions are recorded: name them in the output.
  int threads = 1;                    // That predict.
  std::uint64_t part_rows = 122'880;  // Of the input in one part: a row group of Parquet.
  std::uint64_t block_rows = 4'096;   // Of a part in one request.
  std::size_t max_parts_waiting = 2;  // Read and not yet taken, and predicted and not yet taken.
  table::WorkerOptions worker;
};

struct Progress {
  std::uint64_t rows = 0;     // Read and answered or refused, those of earlier tries included…
  std::uint64_t resumed = 0;  // …which are these.
  std::optional<table::RowEstimate> total;
  std::int64_t running_us = 0;
};

struct Summary {
  PartCounts counts;
  std::uint64_t unreadable = 0;  // Lines of the input that are no rows; in the side file too.
  std::uint64_t resumed = 0;     // Rows that an earlier try had answered or refused.
  std::int64_t running_us = 0;
  std::string note;  // How columns were matched, where a person should look at it.
};

// One file into another. One thread makes it and calls run() once.
class Job {
 public:
  // `predictor` must route the version's endpoint to the version, and outlive the job. `wait` is
  // called now and then by threads that predict, and may hold them up: the recorder's queue.
  // `show` is called with the progress, by several threads, one at a time.
  struct Environment {
    serve::Predictor& predictor;
    std::shared_ptr<const serve::Version> version;
    std::vector<std::string> endpoint_features{};
    std::function<void()> wait{};
    std::function<void(const Progress&)> show{};
    std::function<void(const std::string&)> tell{};  // A note, before the work begins.
  };
  Job(Options options, Environment environment)
      : options_(std::move(options)),
        environment_(std::move(environment)),
        waiting_(options_.max_parts_waiting),
        predicted_(options_.max_parts_waiting) {}

  // An error leaves the finished parts for the next try.
  Result<Summary> run();

 private:
  struct Part {
    std::uint64_t number = 0;
    tensor::Columns input;
  };
  struct Predicted {
    std::uint64_t number = 0;
    tensor::Columns output;
    PartCounts counts;
    std::map<std::uint32_t, std::string> rejected;  // Why, by the place in the part.
  };

  Result<void> prepare(table::Worker& reader);
  std::string plan_text() const;
  Result<table::QueryResult> read(table::Worker& reader);
  void predict_parts();
  void write_parts();
  Result<Predicted> predict(const Part& part, BlockCall& call);
  Result<void> predict_block(
      const Part& part, std::span<const std::uint32_t> rows, BlockCall& call, Predicted& predicted
  );
  Result<void> write(table::Worker& writer, const Predicted& predicted);
  void stop(const Error& error);
  void progressed(std::uint64_t rows);

  const Options options_;
  const Environment environment_;
  table::FileFormat out_format_ = table::FileFormat::parquet;
  Match match_;
  table::TypedPlan plan_;
  std::optional<OutputLayout> layout_;
  std::unique_ptr<Parts> parts_;
  std::string id_;  // What the ids of the records begin with.
  std::uint64_t first_part_ = 0;

  Queue<Part> waiting_;
  Queue<Predicted> predicted_;
  std::mutex mutex_;
  std::optional<Error> error_;  // The first one.
  std::mutex show_mutex_;
  Progress progress_;
  std::int64_t begin_ns_ = 0;
};

}  // namespace weir::batch
