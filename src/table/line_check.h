#pragma once

#include <string>

#include "base/result.h"
#include "table/worker.h"

// Faults of the lines of a file that the database reads over, or reports in words of its own.

namespace weir::table {

// An error that names the first line of a CSV with more or fewer fields than its header has.
Result<void> check_fields(Worker& worker, const std::string& path);

// An error that names the first object with a key that it has twice. `objects` is a source with a
// column `json`.
Result<void> check_keys(Worker& worker, const std::string& objects, const std::string& path);

}  // namespace weir::table
