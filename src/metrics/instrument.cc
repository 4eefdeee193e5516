#include "metrics/instrument.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace weir::metrics {

const Buckets& latency_buckets() {
  static const Buckets buckets{
      {50'000,
       100'000,
       250'000,
       500'000,
       1'000'000,
       2'500'000,
       5'000'000,
       10'000'000,
       25'000'000,
       50'000'000,
       100'000'000,
       250'000'000,
       500'000'000,
       1'000'000'000,
       2'500'000'000,
       5'000'000'000,
       10'000'000'000},
      1e9};
  return buckets;
}

const Buckets& row_buckets() {
  static const Buckets buckets{{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}, 1};
  return buckets;
}

Histogram::Histogram(const Buckets& buckets)
    : bound_count_(buckets.bounds.size()), per_unit_(buckets.per_unit) {
  CHECK(bound_count_ < max_buckets, "a histogram has a fixed room for its buckets");
  CHECK(
      std::adjacent_find(
          buckets.bounds.begin(), buckets.bounds.end(), std::greater_equal<std::int64_t>()
      ) == buckets.bounds.end(),
      "the bounds of buckets ascend"
  );
  std::copy(buckets.bounds.begin(), buckets.bounds.end(), bounds_.begin());
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot result;
  result.bounds.assign(
      bounds_.begin(), bounds_.begin() + static_cast<std::ptrdiff_t>(bound_count_)
  );
  result.per_unit = per_unit_;
  result.sum = sum_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i <= bound_count_; ++i) {
    result.counts.push_back(counts_[i].load(std::memory_order_relaxed));
    result.count += result.counts.back();
  }
  return result;
}

double Histogram::Snapshot::quantile(double share) const {
  if (count == 0 || bounds.empty()) return 0;
  const double rank = std::clamp(share, 0.0, 1.0) * static_cast<double>(count);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const std::uint64_t up_to = below + counts[i];
    if (counts[i] > 0 && static_cast<double>(up_to) >= rank) {
      const double high = static_cast<double>(bounds[i]);
      const double low = i == 0 ? std::min(0.0, high) : static_cast<double>(bounds[i - 1]);
      const double inside = (rank - static_cast<double>(below)) / static_cast<double>(counts[i]);
      return low + (high - low) * std::max(0.0, inside);
    }
    below = up_to;
  }
  return static_cast<double>(bounds.back());
}

}  // namespace weir::metrics
