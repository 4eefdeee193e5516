#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// Quantiles of values >= 0 in fixed memory (2 KiB): four linear buckets to each power of two from
// 2^-32 to 2^32, one for everything smaller and one for everything larger. A quantile is off by at
// most one eighth of its value within that range. Adding two histograms gives exactly the histogram
// of both streams. Pure.

namespace weir::stats {

class LogHistogram {
 public:
  // Negative values count as 0. Requires: not NaN.
  void add(double value);
  void merge(const LogHistogram& other);

  std::uint64_t count() const { return count_; }
  // The middle of the bucket that holds the value of rank ceil(share · n), at least the first; 0
  // when there is none. Requires: 0 <= share <= 1.
  double quantile(double share) const;

 private:
  friend class SignedLogHistogram;
  static constexpr int min_exponent = -32;
  static constexpr int max_exponent = 32;
  static constexpr std::size_t parts = 4;
  static constexpr std::size_t bucket_count = (max_exponent - min_exponent) * parts + 2;

  static std::size_t bucket_of(double value);
  static double middle_of(std::size_t bucket);
  // The middle of the bucket of that rank, counted from 1 for the smallest.
  double at_rank(std::uint64_t rank) const;

  std::array<std::uint64_t, bucket_count> counts_{};
  std::uint64_t count_ = 0;
};

// The same for values of both signs.
class SignedLogHistogram {
 public:
  // Requires: not NaN.
  void add(double value);
  void merge(const SignedLogHistogram& other);
  std::uint64_t count() const { return below_.count() + above_.count(); }
  double quantile(double share) const;

 private:
  LogHistogram below_;  // The magnitudes of values < 0.
  LogHistogram above_;
};

}  // namespace weir::stats
