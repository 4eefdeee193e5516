#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"

namespace weir::serve {

struct AdmissionOptions {
  std::uint32_t max_in_flight = 4096;  // Requests between begin and answer, all endpoints together.
};

// The first gate: how many requests may be inside at once. Thread-safe.
class Admission {
 public:
  explicit Admission(const AdmissionOptions& options) : options_(options) {}

  // Whether a request would be refused now, asked before its body is read.
  bool is_full() const {
    return in_flight_.load(std::memory_order_relaxed) >= options_.max_in_flight;
  }
  Result<void> enter() {
    if (in_flight_.fetch_add(1, std::memory_order_relaxed) < options_.max_in_flight) return {};
    leave();
    refused_.fetch_add(1, std::memory_order_relaxed);
    return fail(
        Code::exhausted,
        "{} requests are being answered already (max_in_flight); try again later",
        options_.max_in_flight
    );
  }
  // One was refused by its transport, before anything of it was decoded.
  void count_refused() { refused_.fetch_add(1, std::memory_order_relaxed); }
  void leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  AdmissionOptions options_;
  std::atomic<std::uint32_t> in_flight_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace weir::serve
