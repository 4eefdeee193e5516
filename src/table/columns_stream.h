#pragma once

#include <cstdint>
#include <memory>

#include <duckdb.h>

#include "base/result.h"
#include "table/batch_reader.h"
#include "table/duckdb_library.h"
#include "tensor/columns.h"

// The child's side of rows in bulk: chunks of the database into columns, and the columns that the
// parent sends as something a statement can read.

namespace weir::table {

// One thread at a time.
class ColumnsReader {
 public:
  ColumnsReader(const DuckDb& library, std::shared_ptr<const tensor::ColumnSpecs> specs)
      : library_(library), specs_(std::move(specs)) {}

  // Whether the result has the columns of the specs.
  Result<void> check(duckdb_result& result) const;
  // Adds `count` rows of a chunk from `begin` on. Requires: check.
  void append(duckdb_data_chunk chunk, idx_t begin, idx_t count, tensor::Columns& columns) const;

 private:
  const DuckDb& library_;
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
};

// What the parent sends: a packet with the specs, then one per batch, then `done`. One thread at a
// time; outlives its reader.
class IncomingColumns {
 public:
  IncomingColumns(int socket, std::uint64_t max_bytes) : socket_(socket), max_bytes_(max_bytes) {}

  // The database may look at the columns more than once before it reads the rows.
  Result<std::unique_ptr<BatchReader>> reader();
  // Throws away what has not been read.
  Result<void> drain();

 private:
  class Reader;
  // Nothing after the last batch.
  Result<bool> receive(tensor::Columns& batch);

  const int socket_;
  const std::uint64_t max_bytes_;
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  bool is_over_ = false;
};

}  // namespace weir::table
