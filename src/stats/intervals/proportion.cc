#include "stats/intervals/proportion.h"

#include <algorithm>
#include <cmath>

#include <boost/math/special_functions/beta.hpp>

#include "base/check.h"

namespace weir::stats {

Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence) {
  CHECK(successes <= n, "not more successes than trials");
  if (n == 0) return {0, 1};
  const double z = normal_quantile(0.5 + confidence / 2);
  const auto trials = static_cast<double>(n);
  const double p = static_cast<double>(successes) / trials;
  const double centre = p + z * z / (2 * trials);
  const double reach = z * std::sqrt((p * (1 - p) + z * z / (4 * trials)) / trials);
  const double scale = 1 + z * z / trials;
  // At the ends the formula gives 0 and 1 exactly; rounding would leave it beside them.
  const double low = successes == 0 ? 0 : std::max(0.0, (centre - reach) / scale);
  const double high = successes == n ? 1 : std::min(1.0, (centre + reach) / scale);
  return {low, high};
}

Interval clopper_pearson(std::uint64_t successes, std::uint64_t n, double confidence) {
  CHECK(successes <= n, "not more successes than trials");
  CHECK(confidence > 0 && confidence < 1, "a confidence inside (0, 1)");
  const double tail = (1 - confidence) / 2;
  const auto x = static_cast<double>(successes);
  const auto rest = static_cast<double>(n - successes);
  return {
      successes == 0 ? 0 : boost::math::ibeta_inv(x, rest + 1, tail),
      successes == n ? 1 : boost::math::ibetac_inv(x + 1, rest, tail),
  };
}

}  // namespace weir::stats
