#pragma once

#include <string>

#include "base/result.h"
#include "cli/arguments.h"

namespace weir::app {

// `weir batch`: the rows of a file through the request path into another file, without a server.
Result<int> run_batch(const cli::BatchArguments& arguments, const std::string& command_line);

}  // namespace weir::app
