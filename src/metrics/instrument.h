#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

// The instruments behind a metric. Get them once from a Registry and keep the pointer: using one
// costs one or two relaxed atomic additions and no lookup. Thread-safe.

namespace weir::metrics {

// Only grows. Its name ends in _total. Alone on its cache line, so that two busy ones do not slow
// each other down.
class alignas(64) Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down.
class alignas(64) Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Where a histogram's buckets end. Values are observed as integers in a small unit (nanoseconds,
// bytes); the text shows them divided by `per_unit`, in the base unit (seconds, bytes).
struct Buckets {
  std::vector<std::int64_t> bounds;  // Ascending, inclusive upper ends; +Inf is added.
  double per_unit = 1;
};

// Nanoseconds, shown in seconds: 50, 100, 250, 500 µs, 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms,
// 1, 2.5, 5, 10 s.
const Buckets& latency_buckets();

// Rows of a request: 1, 2, 4, … 4096.
const Buckets& row_buckets();

// Counts values by bucket and adds them up. The count of all values is the sum over the buckets, so
// the text is never inconsistent in itself; the sum may be one observation ahead of or behind it.
class alignas(64) Histogram {
 public:
  static constexpr std::size_t max_buckets = 32;

  // Requires: at most max_buckets - 1 ascending bounds.
  explicit Histogram(const Buckets& buckets);

  void observe(std::int64_t value) {
    // Most values fall into the first buckets, so a scan beats a binary search.
    std::size_t bucket = 0;
    while (bucket < bound_count_ && value > bounds_[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  // The state at one moment, for the text, for tests and for status.
  struct Snapshot {
    std::vector<std::int64_t> bounds;
    std::vector<std::uint64_t> counts;  // One more than bounds: the last is above all of them.
    std::uint64_t count = 0;
    std::int64_t sum = 0;
    double per_unit = 1;

    // The value below which a share of all values lies, by linear interpolation within its bucket,
    // in the unit of observe(); 0 when there are none. The last bound when it lies above it.
    double quantile(double share) const;
  };
  Snapshot snapshot() const;

 private:
  std::array<std::int64_t, max_buckets - 1> bounds_{};
  std::size_t bound_count_ = 0;
  double per_unit_ = 1;
  std::array<std::atomic<std::uint64_t>, max_buckets> counts_{};
  std::atomic<std::int64_t> sum_{0};
};

}  // namespace weir::metrics
