#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/session.h"

namespace weir::model {

// A session whose model lives in a process of its own, a child of this one: when the model crashes,
// hangs or runs out of memory, the calls inside it fail with unavailable and say how the process
// ended; it is started again, and calls that come meanwhile wait for it (docs/isolation.md).
//
// Threads: as many callers as there may be calls in the process, each with a socket of its own to a
// thread there (CallPool), and one supervisor, which starts the process, waits for its end, pauses
// when it keeps dying, and starts it again.
Result<std::unique_ptr<Session>> load_isolated(
    const std::string& path, const SessionOptions& options
);

}  // namespace weir::model
