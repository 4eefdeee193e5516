#pragma once

#include <algorithm>

#include "base/clock.h"

namespace weir::ledger {

// The years that a time on disk may lie in, 1 to 9999: what every reader of Parquet can show. A
// client may send any number as a time, and one record must not stop a compaction.
inline constexpr Moment first_moment = -62'135'596'800 * us_per_second;
inline constexpr Moment last_moment = 253'402'300'800 * us_per_second - 1;

inline Moment within_years(Moment moment) {
  return std::clamp(moment, first_moment, last_moment);
}

}  // namespace weir::ledger
