#pragma once

#include <string>

#include "base/result.h"
#include "model/host_message.h"
#include "model/session.h"

// The other end of an isolated session: the process that holds the model.

namespace weir::model {

// The descriptor with which the process is started.
inline constexpr int host_socket = 3;

// Loads the model that the first message on `socket` names and answers calls, until the parent
// closes its end or dies; then the process ends at once, even when the model never returns. Gives
// the exit code when there is no model to wait for.
Result<int> run_model_host(int socket);

// The first message, and what the process reads from it.
void put_load(const std::string& path, const SessionOptions& options, Message& message);
struct LoadOrder {
  std::string path;
  SessionOptions options;
};
Result<LoadOrder> take_load(Message& message);

}  // namespace weir::model
