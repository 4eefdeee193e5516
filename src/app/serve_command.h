#pragma once

#include "base/result.h"
#include "cli/arguments.h"

namespace weir::app {

// `weir serve`: runs until SIGTERM or SIGINT. The result is the exit code.
Result<int> run_serve(const cli::ServeArguments& arguments, const std::string& command_line);

// `weir worker`: the child that runs SQL.
Result<int> run_worker();

// `weir model-host`: the child that holds one model whose sidecar asks for it.
Result<int> run_model_host();

}  // namespace weir::app
