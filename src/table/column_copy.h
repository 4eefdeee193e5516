#pragma once

#include <cstddef>

#include "base/result.h"
#include "table/duckdb_library.h"
#include "tensor/columns.h"

// Columns of ours into vectors of the database, and back.

namespace weir::table {

// The SQL type of a column; fp16 and bf16 become FLOAT, `bytes` VARCHAR. The caller destroys it.
duckdb_logical_type make_logical_type(const DuckDb& library, const tensor::ColumnSpec& spec);

// The rows from `begin` on, `count` of them, into an empty vector of that type. Text that is not
// UTF-8 is written with \xNN for each byte that is not ASCII, so that nothing is lost.
// Requires: begin is a multiple of 8.
void copy_column(
    const DuckDb& library,
    const tensor::Column& column,
    std::size_t begin,
    std::size_t count,
    duckdb_vector vector
);

// Ok when vectors of that type can be appended to a column of these specs.
Result<void> check_type(
    const DuckDb& library, duckdb_logical_type type, const tensor::ColumnSpec& spec
);

// Adds `count` rows of a vector from `begin` on; a null within a list becomes NaN, or 0 in a list
// of whole numbers. Requires: check_type.
void append_vector(
    const DuckDb& library,
    duckdb_vector vector,
    std::size_t begin,
    std::size_t count,
    tensor::Column& column
);

}  // namespace weir::table
