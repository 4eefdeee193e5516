#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/result.h"

namespace weir::serve {

struct AdmissionOptions {
  std::uint32_t max_in_flight = 4096;  // Requests between begin and answer, all endpoints together.
  // Requests that a loop has not got to yet wait in the kernel, out of sight. Once some have waited
  // for longer than max_backlog_us all through an interval, those that did are refused, until there
  // was none for an interval. 0: never.
  std::int64_t max_backlog_us = 250'000;
  std::int64_t backlog_interval_us = 100'000;
};

// How far one event loop is behind. One thread; anyone may ask is_behind().
class Backlog {
 public:
  // Whether a request has to be refused whose bytes could have been read since `readable_ns`.
  bool refuses(std::int64_t readable_ns, std::int64_t now_ns, const AdmissionOptions& options) {
    const bool is_over = now_ns - last_late_ns_ >= options.backlog_interval_us * 1000;
    if (now_ns - readable_ns <= options.max_backlog_us * 1000 || options.max_backlog_us == 0) {
      if (is_over && is_behind()) since_ns_.store(0, std::memory_order_relaxed);
      return false;
    }
    if (is_over || !is_behind()) since_ns_.store(now_ns, std::memory_order_relaxed);
    last_late_ns_ = now_ns;
    const std::int64_t since_ns = since_ns_.load(std::memory_order_relaxed);
    return now_ns - since_ns >= options.backlog_interval_us * 1000;
  }
  bool is_behind() const { return since_ns_.load(std::memory_order_relaxed) != 0; }

 private:
  std::atomic<std::int64_t> since_ns_{0};
  std::int64_t last_late_ns_ = 0;  // When a request had waited too long.
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
  // The same by age, before the request is decoded. `loop` is the index of the thread's event loop.
  Result<void> check_age(std::size_t loop, std::int64_t readable_ns, std::int64_t now_ns) {
    if (!backlogs_[loop % max_loops].refuses(readable_ns, now_ns, options_)) return {};
    refused_.fetch_add(1, std::memory_order_relaxed);
    return fail(
        Code::exhausted,
        "the request has waited for {} ms already, as all do now, and {} are allowed "
        "(max_backlog); "
        "try again later",
        (now_ns - readable_ns) / 1'000'000,
        options_.max_backlog_us / 1000
    );
  }
  // Whether requests of this loop wait for longer than they should. Then shadows go first.
  bool is_behind(std::size_t loop) const { return backlogs_[loop % max_loops].is_behind(); }
  void leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t max_loops = 256;

  AdmissionOptions options_;
  std::array<Backlog, max_loops> backlogs_;
  std::atomic<std::uint32_t> in_flight_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace weir::serve
