#include "stats/intervals/interval.h"

#include <numbers>

#include <boost/math/special_functions/erf.hpp>

#include "base/check.h"

namespace weir::stats {

double normal_quantile(double probability) {
  CHECK(probability > 0 && probability < 1, "a quantile of a probability inside (0, 1)");
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * probability);
}

}  // namespace weir::stats
