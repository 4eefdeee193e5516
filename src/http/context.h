#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "http/access_log.h"
#include "http/buffer.h"
#include "http/compress.h"
#include "http/head.h"
#include "http/server.h"
#include "http/timers.h"

// What the connections of one loop share: memory that a connection holds only while a request is
// on its way, counts, deadlines.

namespace weir::http {

class Connection;

// Everything that one request occupies. A connection takes one when bytes arrive and gives it back
// when the last byte has been dealt with, so that idle connections have none.
struct RequestMemory {
  Buffer input;           // As received: [begin, …) is not dealt with yet.
  std::size_t begin = 0;  // Where the present request starts.
  Buffer body;            // A body that did not fit behind its head.
  Buffer inflated;
  std::vector<Header> headers;
  Head head;

  std::size_t footprint() const { return input.capacity() + body.capacity() + inflated.capacity(); }
};

// One thread at a time. The memory given back last goes out first, because it is in the cache.
class RequestMemoryPool {
 public:
  static constexpr std::size_t input_bytes = 16 * 1024;
  // What spare memory may add up to; beyond it, memory goes back to the system.
  static constexpr std::size_t max_spare_bytes = 2 * 1024 * 1024;

  std::unique_ptr<RequestMemory> take();
  void give(std::unique_ptr<RequestMemory> memory);

 private:
  std::vector<std::unique_ptr<RequestMemory>> spare_;
  std::size_t spare_bytes_ = 0;
};

// The bound on the memory of all connections of all loops. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}
  // False when the limit is passed; taken all the same.
  bool take(std::uint64_t bytes);
  void give(std::uint64_t bytes);
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t left() const;

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_ = 0;
};

// Written by one loop, read by anyone.
class Count {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

struct LoopCounts {
  Count connections_total;
  Count connections_refused;
  Count accept_failures;
  Count requests_total;
  Count timeouts;
  Count malformed;
  Count over_limit;
};

// One thread at a time.
struct Context {
  Context(const ServerOptions& options_, Handler& handler_, Loop& loop_, MemoryBudget& budget_)
      : options(options_), handler(handler_), loop(loop_), budget(budget_), waits(options_) {}

  const ServerOptions& options;
  Handler& handler;
  Loop& loop;
  MemoryBudget& budget;
  LoopCounts counts;
  Waits waits;
  RequestMemoryPool memory;
  Compressor compressor;
  Buffer scratch;                     // For raw chunks and for bytes that are thrown away.
  Buffer answer;                      // The answer that is being put together.
  Buffer compressed;                  // Its body, if the client likes it so.
  std::vector<Connection*> ready;     // Have something to do without any event.
  std::vector<Connection*> finished;  // Can be deleted at the end of this turn.
  std::int64_t now_ns = 0;            // Read once per turn.
  // Of the connection whose turn it is, as in Request.
  std::int64_t seen_ns = 0;
  std::int64_t ahead_ns = 0;
  bool is_behind = false;
  AccessLog* access_log = nullptr;  // Of the server; none when it is off.
  bool is_retiring = false;         // Every answer is the last of its connection.
  bool is_draining = false;         // And nothing new is accepted.

  // "Date: Tue, 24 Nov 2026 15:05:10 GMT\r\n", made once a second.
  std::string_view date_line();

 private:
  std::array<char, 40> date_{};
  std::size_t date_size_ = 0;
  std::int64_t date_until_ns_ = 0;
};

}  // namespace weir::http
