#pragma once

#include <cstdint>

#include "ledger/format.h"
#include "tensor/columns.h"

// Columns of the same name in different blocks, brought to one type.

namespace weir::ledger {

// The type that holds the values of both: of integers the smaller one that does, of integers and
// floating-point numbers fp64, of anything else text. A list stays a list.
tensor::ColumnSpec widen(const tensor::ColumnSpec& a, const tensor::ColumnSpec& b);

// Adds the rows of a chunk, whose type is `from`, to a column of a type that widen made of it.
void append_chunk(
    const ColumnChunk& chunk, const tensor::ColumnSpec& from, std::uint32_t rows, tensor::Column& to
);

}  // namespace weir::ledger
