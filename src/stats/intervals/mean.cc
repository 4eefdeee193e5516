#include "stats/intervals/mean.h"

#include <algorithm>
#include <cmath>

namespace weir::stats {

void Moments::add(double value) {
  ++count_;
  const double before = value - mean_;
  mean_ += before / static_cast<double>(count_);
  squares_ += before * (value - mean_);
}

void Moments::merge(const Moments& other) {
  if (other.count_ == 0) return;
  const auto mine = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double difference = other.mean_ - mean_;
  count_ += other.count_;
  mean_ += difference * theirs / (mine + theirs);
  squares_ += other.squares_ + difference * difference * mine * theirs / (mine + theirs);
}

double Moments::variance() const {
  return count_ < 2 ? 0 : std::max(0.0, squares_) / static_cast<double>(count_ - 1);
}

std::optional<Interval> mean_interval(
    const Moments& moments, double confidence, std::uint64_t min_count
) {
  const std::uint64_t n = moments.count();
  if (n < std::max<std::uint64_t>(min_count, 2)) return std::nullopt;
  const double z = normal_quantile(0.5 + confidence / 2);
  const double reach = z * std::sqrt(moments.variance() / static_cast<double>(n));
  return Interval{moments.mean() - reach, moments.mean() + reach};
}

}  // namespace weir::stats
