#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::serve {

// What a run of one version costs, learned from runs: ns ≈ per row · rows + fixed. Least squares
// over samples whose weight halves about every 22 samples, so that it follows a model that changes.
// Thread-safe: readers see numbers of one recent state; of two samples at once one may be left out.
class Cost {
 public:
  void add(std::size_t rows, std::int64_t ns);

  bool is_known() const { return is_known_.load(std::memory_order_relaxed); }
  // 0 while nothing is known.
  std::int64_t expected_ns(std::size_t rows) const {
    return static_cast<std::int64_t>(fixed_ns() + per_row_ns() * static_cast<double>(rows));
  }
  double fixed_ns() const { return fixed_ns_.load(std::memory_order_relaxed); }
  double per_row_ns() const { return per_row_ns_.load(std::memory_order_relaxed); }

 private:
  void solve();

  std::atomic_flag busy_;  // Guards the sums.
  double weight_ = 0;
  double rows_ = 0;
  double rows_squared_ = 0;
  double ns_ = 0;
  double rows_ns_ = 0;
  std::atomic<bool> is_known_{false};
  std::atomic<double> fixed_ns_{0};
  std::atomic<double> per_row_ns_{0};
};

// A share between 0 and 1 that follows what happens. Thread-safe; of two answers at once one may be
// left out.
class Share {
 public:
  void add(bool happened) {
    constexpr float weight = 1.0F / 32;
    const float before = value_.load(std::memory_order_relaxed);
    value_.store(before + ((happened ? 1.0F : 0.0F) - before) * weight, std::memory_order_relaxed);
  }
  float value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<float> value_{0};
};

}  // namespace weir::serve
