#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

// The thread of a worker process that looks at the clock and at the parent while the database
// computes: it ends a request that takes too long, and the process when the parent is gone.

namespace weir::table {

class Watchdog {
 public:
  // `socket` is the worker's end; it must outlive the watchdog.
  explicit Watchdog(int socket);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  // Calls `interrupt` from the deadline on, again and again, until `release`. Requires: released.
  void watch(std::int64_t deadline_ns, std::function<void()> interrupt);
  // Afterwards `interrupt` is not called any more.
  void release();
  // Whether the deadline of the request that is watched, or was last, has passed.
  bool is_late() const;

 private:
  void run();
  void exit_without_parent() const;

  const int socket_;
  const int parent_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> interrupt_;  // Empty while nothing is watched.
  std::int64_t deadline_ns_ = 0;
  bool is_late_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::table
