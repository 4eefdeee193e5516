#pragma once

#include <cstdint>

#include "stats/intervals/interval.h"

// Intervals for a share: successes of n independent trials. Pure.

namespace weir::stats {

// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
// (1927):
//   (p + z²/2n ± z sqrt(p(1−p)/n + z²/4n²)) / (1 + z²/n).
// Covers close to the nominal level on average, also for small n. n = 0 gives [0, 1].
// Requires: successes <= n, 0 < confidence < 1.
Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);

// C. J. Clopper and E. S. Pearson, Biometrika 26 (1934): quantiles of the beta distribution. Covers
// at least the nominal level for every p; wider. n = 0 gives [0, 1]. Requires: as above.
Interval clopper_pearson(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);

}  // namespace weir::stats
