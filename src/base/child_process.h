#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

// A process of this same program at the other end of a socket.

namespace weir {

// Owns the process and our end of the socket: the destructor ends the one and closes the other.
// One thread at a time; `kill` may be called from another one.
class ChildProcess {
 public:
  // The process has the other end as descriptor `socket`, no other descriptor of ours beyond
  // standard error, and a process group of its own, so that a terminal's Ctrl-C is for the parent.
  static Result<ChildProcess> start(
      const std::string& program, const std::vector<std::string>& arguments, int socket
  );
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  int pid() const { return pid_; }
  int socket() const { return socket_; }

  void kill() const;
  // Whether the process still runs.
  bool is_running();
  // Waits for its end, kills it when that takes longer than `patience_ms`, and says how it ended:
  // "exit code 2", "signal 9".
  std::string end(int patience_ms);

 private:
  ChildProcess(int pid, int socket) : pid_(pid), socket_(socket) {}

  int pid_;  // -1 once the process is reaped.
  int socket_;
  std::string ended_;
};

// Resident memory of a process, 0 when it is gone.
std::uint64_t resident_bytes(int pid);

}  // namespace weir
