#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "table/worker.h"

// Files of rows that people bring: .csv, .tsv, .ndjson, .jsonl, .json (each also .gz) and
// .parquet. A column that is missed is an error that names the file, the column and what it has.

namespace weir::table {

// The columns of a file with the types that its values have. Those of JSON are all "JSON".
Result<std::vector<ColumnInfo>> file_columns(Worker& worker, const std::string& path);

struct ReadRows {
  std::vector<std::string> wanted{};    // Columns that must be there…
  std::vector<std::string> optional{};  // …and those that are read where they are. None of both:
                                        // every column.
  std::uint64_t batch_rows = 10'000;
};

// All rows of a file in batches of JSON text, as for feedback. The values stay what they are: a
// field of a CSV is text ("007" is no number), an empty one null; JSON keeps its own types.
// Returns the columns read and the number of rows.
Result<QueryResult> read_rows(
    Worker& worker, const std::string& path, const ReadRows& wanted, const Worker::Sink& sink
);

struct TrainingColumns {
  enum class Label {
    automatic,  // Text and booleans are classes, whole numbers with up to 20 values too.
    classes,
    number,
  };

  std::string label{};
  Label kind = Label::automatic;
  std::vector<std::string> features{};   // Empty: every column but the label…
  std::vector<std::string> leave_out{};  // …and but these.
  std::uint64_t max_classes = 1'000;
};

// Rows to train on.
struct TrainingSet {
  std::vector<std::string> features;
  std::vector<std::string> classes;  // In the order of their values; empty for numbers.
  std::vector<float> values;         // Row by row; NaN where a value is missing.
  std::vector<float> labels;         // The index of the class, or the number.
  std::uint64_t unlabeled = 0;       // Rows without a label, which are left out.
};

// The rows in the order of the file. Features must be numbers or booleans.
Result<TrainingSet> read_training_set(
    Worker& worker, const std::string& path, const TrainingColumns& columns
);

}  // namespace weir::table
