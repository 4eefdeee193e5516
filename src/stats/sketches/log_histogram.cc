#include "stats/sketches/log_histogram.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace weir::stats {
namespace {

// The smallest rank that has at least this share of n values at or below it.
std::uint64_t rank_of(double share, std::uint64_t n) {
  CHECK(share >= 0 && share <= 1, "a share inside [0, 1]");
  const double rank = std::ceil(share * static_cast<double>(n));
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rank), 1, n);
}

}  // namespace

std::size_t LogHistogram::bucket_of(double value) {
  if (!(value >= std::ldexp(1.0, min_exponent))) return 0;
  if (value >= std::ldexp(1.0, max_exponent)) return bucket_count - 1;
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);  // In [0.5, 1).
  const auto octave = static_cast<std::size_t>(exponent - 1 - min_exponent);
  const auto part = static_cast<std::size_t>((mantissa - 0.5) * 2 * parts);
  return 1 + octave * parts + part;
}

double LogHistogram::middle_of(std::size_t bucket) {
  if (bucket == 0) return 0;
  if (bucket == bucket_count - 1) return std::ldexp(1.0, max_exponent);
  const auto octave = static_cast<int>((bucket - 1) / parts);
  const auto part = static_cast<double>((bucket - 1) % parts);
  return std::ldexp(1 + (part + 0.5) / parts, min_exponent + octave);
}

void LogHistogram::add(double value) {
  DCHECK(!std::isnan(value), "NaN has no place in an order");
  ++counts_[bucket_of(value)];
  ++count_;
}

void LogHistogram::merge(const LogHistogram& other) {
  for (std::size_t i = 0; i < bucket_count; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
}

double LogHistogram::at_rank(std::uint64_t rank) const {
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += counts_[i];
    if (seen >= rank) return middle_of(i);
  }
  return 0;
}

double LogHistogram::quantile(double share) const {
  return count_ == 0 ? 0 : at_rank(rank_of(share, count_));
}

void SignedLogHistogram::add(double value) {
  if (value < 0) {
    below_.add(-value);
  } else {
    above_.add(value);
  }
}

void SignedLogHistogram::merge(const SignedLogHistogram& other) {
  below_.merge(other.below_);
  above_.merge(other.above_);
}

double SignedLogHistogram::quantile(double share) const {
  if (count() == 0) return 0;
  const std::uint64_t rank = rank_of(share, count());
  if (rank <= below_.count()) return -below_.at_rank(below_.count() - rank + 1);
  return above_.at_rank(rank - below_.count());
}

}  // namespace weir::stats
