#pragma once

#include <memory>

#include "base/result.h"
#include "table/batch_reader.h"
#include "table/duckdb_library.h"
#include "table/readable.h"

// The SQL table function weir_segments(paths VARCHAR[], endpoint VARCHAR, kind VARCHAR): the rows
// of files that only this program can read, through a BatchReader. Columns that a query does not
// use are not copied.

namespace weir::table {

// What the function may open; exchanged when the database is locked down. It and the library must
// outlive the database.
struct SegmentAccess {
  const DuckDb& library;
  const OpenBatches& open;
  Readable readable;
};

Result<void> register_segments(duckdb_connection connection, const SegmentAccess& access);

}  // namespace weir::table
