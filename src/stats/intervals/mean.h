#pragma once

#include <cstdint>
#include <optional>

#include "stats/intervals/interval.h"

// Count, mean and variance of a stream, and an interval for the mean. Pure.

namespace weir::stats {

// B. P. Welford, Technometrics 4 (1962); merge by T. F. Chan, G. H. Golub and R. J. LeVeque (1979).
// Values that are not finite must be left out by the caller.
class Moments {
 public:
  void add(double value);
  void merge(const Moments& other);

  std::uint64_t count() const { return count_; }
  double mean() const { return mean_; }
  // The sum of squared deviations divided by n − 1; 0 below two values.
  double variance() const;

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

// mean ± z · sqrt(variance / n): right for large n by the central limit theorem, whatever the
// distribution, if values are independent with finite variance. Below min_count it says nothing:
// for skewed values even 30 can be too few. Requires: 0 < confidence < 1.
std::optional<Interval> mean_interval(
    const Moments& moments, double confidence = 0.95, std::uint64_t min_count = 30
);

}  // namespace weir::stats
