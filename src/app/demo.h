#pragma once

#include "base/result.h"
#include "cli/arguments.h"

namespace weir::app {

// `weir demo`: trains a model, serves it, launches a better one, launches a broken one and rolls it
// back, all on real data through the real HTTP surface.
Result<int> run_demo(const cli::DemoArguments& arguments);

}  // namespace weir::app
