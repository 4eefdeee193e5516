#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

// What the V2 statistics extension reports of a version. All numbers only grow. Thread-safe,
// relaxed: a reader may see one counter of a request before another.

namespace weir::serve {

struct DurationCounter {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::uint64_t> ns{0};

  void add(std::int64_t duration_ns) {
    count.fetch_add(1, std::memory_order_relaxed);
    ns.fetch_add(
        static_cast<std::uint64_t>(duration_ns > 0 ? duration_ns : 0), std::memory_order_relaxed
    );
  }
};

// What a version uses, and what it could not take. Thread-safe, relaxed.
struct VersionMeter {
  // CPU time of the threads that ran it: exact for runs of the pool and of shadows; of inline runs
  // one in 16 is measured and stands for all.
  std::atomic<std::uint64_t> cpu_ns{0};
  std::atomic<std::uint64_t> refused{0};  // Its queue was full or too long for the deadline.
  std::atomic<std::uint64_t> late{0};     // Their deadline passed in the queue; never run.
};

// Why a request was not answered, as far as its version has to do with it.
enum class FailReason : std::uint8_t { rejected, in_model, other };

struct VersionStatistics {
  // Executions of one batch size.
  struct BatchSize {
    std::atomic<std::uint64_t> size{0};  // 0 = this place is free.
    DurationCounter compute_input;
    DurationCounter compute_infer;
    DurationCounter compute_output;
  };

  std::atomic<Moment> last_inference{0};
  std::atomic<std::uint64_t> inference_count{0};  // Rows.
  std::atomic<std::uint64_t> execution_count{0};
  DurationCounter success;
  DurationCounter fail;
  // By FailReason. Unlike `fail` they count what was refused before it was decoded too.
  std::array<std::atomic<std::uint64_t>, 3> failures{};
  DurationCounter queue;
  DurationCounter compute_input;
  DurationCounter compute_infer;
  DurationCounter compute_output;
  DurationCounter cancelled;  // Their clients have gone; neither success nor fail.
  // Further batch sizes than this are counted above, but not listed one by one.
  static constexpr std::size_t max_batch_sizes = 32;
  std::array<BatchSize, max_batch_sizes> batch_sizes;

  void add_failure(FailReason reason) {
    failures[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  // The place of this batch size; null when all places are taken by others.
  BatchSize* of_batch_size(std::uint64_t size) {
    for (BatchSize& batch : batch_sizes) {
      std::uint64_t seen = batch.size.load(std::memory_order_relaxed);
      if (seen == 0 && batch.size.compare_exchange_strong(seen, size)) return &batch;
      if (seen == size) return &batch;
    }
    return nullptr;
  }
};

}  // namespace weir::serve
