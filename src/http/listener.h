#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

// The socket that a server listens on.

namespace weir::http {

// What the messages name.
struct ListenWords {
  const char* flag = "--listen";
  int usual_port = 8080;
};

// Owns the descriptor.
class Listener {
 public:
  // `address` is a number (127.0.0.1, ::1, 0.0.0.0) or a name of this machine (localhost); port 0
  // takes any free one. A port in use is a conflict.
  static Result<Listener> open(
      const std::string& address, std::uint16_t port, const ListenWords& words = {}
  );
  // Takes over a socket that listens already, of TCP; anything else is an invalid_argument. The
  // descriptor is this one's in either case.
  static Result<Listener> adopt(int descriptor);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener() { close(); }

  int descriptor() const { return descriptor_; }
  std::uint16_t port() const { return port_; }
  std::string address() const;  // "127.0.0.1", "::1"
  // From here on the system refuses who wants to connect.
  void close();

 private:
  Listener(int descriptor, std::uint16_t port) : descriptor_(descriptor), port_(port) {}

  int descriptor_ = -1;
  std::uint16_t port_ = 0;
};

// The socket that a supervisor made for this process (systemd's socket activation: LISTEN_PID,
// LISTEN_FDS, from descriptor 3 on), or nothing. The variables are taken out of the environment, so
// that no process of ours believes they are its own. More than one socket is an invalid_argument.
Result<std::optional<int>> inherited_listener();

}  // namespace weir::http
