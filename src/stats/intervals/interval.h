#pragma once

// A range in which a quantity lies with a stated confidence. Pure.

namespace weir::stats {

struct Interval {
  double low = 0;
  double high = 0;
};

// The z with P(Z <= z) = probability for a standard normal Z. Requires: 0 < probability < 1.
double normal_quantile(double probability);

}  // namespace weir::stats
