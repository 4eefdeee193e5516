#include "serve/cost.h"

#include <algorithm>

namespace weir::serve {

void Cost::add(std::size_t rows, std::int64_t ns) {
  constexpr double keep = 1 - 1.0 / 32;
  if (busy_.test_and_set(std::memory_order_acquire)) return;
  const auto x = static_cast<double>(rows);
  const auto y = static_cast<double>(std::max<std::int64_t>(ns, 0));
  weight_ = weight_ * keep + 1;
  rows_ = rows_ * keep + x;
  rows_squared_ = rows_squared_ * keep + x * x;
  ns_ = ns_ * keep + y;
  rows_ns_ = rows_ns_ * keep + x * y;
  solve();
  busy_.clear(std::memory_order_release);
}

void Cost::solve() {
  const double mean_rows = rows_ / weight_;
  const double mean_ns = ns_ / weight_;
  const double spread = rows_squared_ / weight_ - mean_rows * mean_rows;
  double per_row = 0;
  // Without different numbers of rows nothing can be told apart: everything counts as fixed up to
  // this size, and a larger request is measured when it comes.
  if (spread > 1e-6 * mean_rows * mean_rows) {
    const double covariance = rows_ns_ / weight_ - mean_rows * mean_ns;
    per_row = std::max(covariance / spread, 0.0);
  }
  double fixed = mean_ns - per_row * mean_rows;
  if (fixed < 0) {
    fixed = 0;
    per_row = mean_rows > 0 ? mean_ns / mean_rows : 0;
  }
  per_row_ns_.store(per_row, std::memory_order_relaxed);
  fixed_ns_.store(fixed, std::memory_order_relaxed);
  is_known_.store(true, std::memory_order_relaxed);
}

}  // namespace weir::serve
