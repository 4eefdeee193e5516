#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "table/file_format.h"

namespace weir::batch {

// Puts files of one format one behind the other into a new file, which is on the device when this
// returns: lines as they are, Parquet with one footer for all row groups. The rows are not read.
Result<void> join_files(
    const std::vector<std::string>& parts, table::FileFormat format, const std::string& path
);

}  // namespace weir::batch
