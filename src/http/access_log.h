#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "http/server.h"

// The access log: one line of JSON for an answer, sampled, but always for an error.

namespace weir::http {

// All that a line says; borrowed.
struct AccessEntry {
  std::string_view peer;
  std::string_view method;
  std::string_view path;  // Without the query, which may hold what is nobody's business.
  int status = 0;
  int grpc_status = -1;  // Of a gRPC call; -1 = it is none.
  std::uint64_t request_bytes = 0;
  std::uint64_t answer_bytes = 0;  // Body, as sent.
  std::int64_t duration_us = 0;    // From the first byte of the request to its answer.
  std::string_view id;             // Of the record, else of the request.
  std::string_view traceparent;
};

// "{"time":…}\n" behind `line`. Members without a value are left out.
void append_access_line(const AccessEntry& entry, std::int64_t time_us, std::string& line);

// Owns the file and a thread that writes it. Thread-safe. A loop that logs copies one line under a
// lock that is never held while the file is written: a slow file loses lines, counted, and holds
// nobody up.
class AccessLog {
 public:
  // Requires: options.path is not empty.
  static Result<std::unique_ptr<AccessLog>> open(const AccessLogOptions& options);
  ~AccessLog();  // Writes what is queued; a file that takes nothing is given up after a second.
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Whether an answer of this status is to be logged; draws lots.
  bool wants(int status) const;
  void add(const AccessEntry& entry);
  // Opens the path again, for after a rotation. The old file stays in use when that fails.
  Result<void> reopen();

  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  AccessLog(const AccessLogOptions& options, int descriptor);
  void work();
  void write(std::string_view lines);
  bool has_room(int descriptor) const;
  void lose(std::string_view lines);

  const AccessLogOptions options_;
  const std::uint64_t chance_;  // Of 2^32.
  std::atomic<std::uint64_t> dropped_{0};
  std::int64_t next_warning_us_ = 0;  // Of the thread.

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string queued_;       // Guarded by mutex_.
  int new_descriptor_ = -1;  // Guarded by mutex_; taken over by the thread.
  std::atomic<bool> is_stopping_{false};
  int descriptor_;  // Of the thread.
  std::thread thread_;
};

}  // namespace weir::http
