#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "table/worker.h"
#include "tensor/datatype.h"

// Files of rows in bulk, each column as the datatype that somebody wants. A row with a value that
// is none of that type is no error of the file: it comes with a reason.

namespace weir::table {

// What is known of a file without reading all of it.
struct FileHead {
  std::string path;
  std::vector<ColumnInfo> columns;  // The fields of a CSV are all VARCHAR, members of JSON "JSON".
  char delimiter = ',';             // Of a CSV, which has a header line.
};

// The members of JSON are those of its first 100,000 rows, in the order in which they appear.
Result<FileHead> read_head(Worker& worker, const std::string& path);

// How many rows there are, or about how many; nothing where only reading would tell.
struct RowEstimate {
  std::uint64_t rows = 0;
  bool is_exact = false;
};
Result<std::optional<RowEstimate>> estimate_rows(Worker& worker, const FileHead& head);

// One value a row, or a list of values.
struct TypedColumn {
  std::string name;                                    // In the file.
  tensor::DataType datatype = tensor::DataType::fp32;  // fp16 and bf16 come as fp32.
  std::uint64_t elements = 0;  // 0: one value; else a list of exactly so many numbers.
  bool may_be_missing = true;  // Floating-point values only; others never are.
};

struct TypedRead {
  std::vector<TypedColumn> columns{};
  std::vector<std::string> keep{};  // Further columns, as they are.
  std::uint64_t skip_rows = 0;
  std::uint64_t batch_rows = 100'000;
};

// How to read a file so. The batches have the wanted columns, then a text `reason`, null where the
// row is fine, then those that are kept: numbers as they are, everything else as text. Lines of a
// CSV that are no rows come last, as the rows of the query's `after`: line, reason, text.
struct TypedPlan {
  ColumnsQuery query;
  std::vector<std::string> kept_types;  // As SQL writes them, so that text can become them again.
};

// A column that is missed is an error that names the file, the column and what it has.
Result<TypedPlan> plan_typed_read(const FileHead& head, const TypedRead& wanted);

}  // namespace weir::table
