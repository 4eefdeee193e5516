#pragma once

#include <optional>
#include <string>

#include "base/result.h"

// How a new server takes over from the one that holds its data folder: it gets the listening
// sockets, over a socket of the system in the folder, and waits for the control lease while the old
// one finishes. Who connects meanwhile waits in the listening socket and is never refused.

namespace weir::app {

// Descriptors of sockets that listen.
struct Listeners {
  int http = -1;
  int grpc = -1;  // -1: there is none.
};

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
  // Answers who asks with the listening sockets. False when that was nobody of our own user.
  bool give(const Listeners& listeners);

 private:
  Handover(int folder, int descriptor) : folder_(folder), descriptor_(descriptor) {}
  int folder_ = -1;
  int descriptor_ = -1;
};

// Asks the server that holds the folder for its listening sockets, which makes it finish and end.
// Nothing when no server is there. The caller owns the descriptors.
Result<std::optional<Listeners>> take_listeners(const std::string& data);

}  // namespace weir::app
