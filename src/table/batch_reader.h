#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/columns.h"

// How a worker process reads files whose format this module does not know: the segments of the
// ledger, as batches of columns. The SQL table function weir_segments(paths, endpoint, kind) is
// built on it.

namespace weir::table {

// One pass over some files. One thread at a time.
class BatchReader {
 public:
  virtual ~BatchReader() = default;

  // The columns of every batch. Known without reading the rows.
  virtual Result<std::shared_ptr<const tensor::ColumnSpecs>> specs() = 0;

  // From now on every batch has only the columns of `specs` at these places, in this order; false
  // when the reader gives all of them all the same. Before the first `next`, at most once.
  // Requires: there is at least one.
  virtual bool project(std::span<const std::size_t> /*columns*/) { return false; }

  // The next batch, valid until the next call; nullptr at the end. Every batch has the columns of
  // `specs`, in that order, or those of `project`.
  virtual Result<const tensor::Columns*> next() = 0;
};

// Opens the files of an endpoint; `kind` says which of its tables is read. Called in the worker
// process from several threads, once to learn the columns and once for each scan.
using OpenBatches = std::function<Result<std::unique_ptr<BatchReader>>(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
)>;

}  // namespace weir::table
