#pragma once

#include <optional>
#include <string>

#include "base/result.h"

// How a new server takes over from the one that holds its data folder: it gets the listening
// socket, over a socket of the system in the folder, and waits for the control lease while the old
// one finishes. Who connects meanwhile waits in the listening socket and is never refused.

namespace weir::app {

// The side of the server that may be succeeded. Owns DATA/handover.sock; removes it at its end.
// One thread at a time.
class Handover {
 public:
  static Result<Handover> open(const std::string& data);
  Handover(Handover&& other) noexcept;
  Handover& operator=(Handover&& other) noexcept;
  ~Handover();

  // Readable when somebody asks.
  int descriptor() const { return descriptor_; }
  // Answers who asks with the listening socket. False when that was nobody of our own user.
  bool give(int listener);

 private:
  Handover(int folder, int descriptor) : folder_(folder), descriptor_(descriptor) {}
  int folder_ = -1;
  int descriptor_ = -1;
};

// Asks the server that holds the folder for its listening socket, which makes it finish and end.
// Nothing when no server is there. The caller owns the descriptor.
Result<std::optional<int>> take_listener(const std::string& data);

}  // namespace weir::app
