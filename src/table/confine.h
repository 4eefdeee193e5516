#pragma once

#include <cstdint>

#include <sys/resource.h>

// What the worker process takes away from itself before it reads anything from outside.

namespace weir::table {

struct Confinement {
  std::uint64_t memory_bytes = 0;  // Of private memory; 0: no cap.
  int niceness = 0;
};

// Caps memory, writes no core files, lowers the priority, and lets the kernel refuse new sockets
// and programs. What the kernel does not offer is logged and left out.
void confine_process(const Confinement& confinement);

// While it lives, no regular file can grow, whoever in this process tries. One at a time.
class WriteBan {
 public:
  WriteBan();
  WriteBan(const WriteBan&) = delete;
  WriteBan& operator=(const WriteBan&) = delete;
  ~WriteBan();

 private:
  rlimit before_{};
};

}  // namespace weir::table
