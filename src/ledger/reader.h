#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "table/batch_reader.h"

// Segments as batches of columns, for the worker's table function weir_segments. Files that were
// removed meanwhile, a torn tail and blocks that fail their checksum are passed over: what was
// counted as damaged at recovery must not make the rest unreadable.

namespace weir::ledger {

// Opens the blocks of one endpoint in these segments. `kind` is "records" or "feedback"; behind it
// may stand "@FIRST,LAST", two times in microseconds: blocks without a row between them are passed
// over, while the other rows of a block that is read come too. The columns are those of all blocks
// together, in order of first appearance after the fixed ones: numbers of different types become
// the type that holds both, anything else becomes text; a column that a block lacks is null. Suits
// table::OpenBatches.
Result<std::unique_ptr<table::BatchReader>> open_segments(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
);

}  // namespace weir::ledger
