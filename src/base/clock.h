#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

// Time is UTC microseconds since 1970 in an int64, everywhere; RFC 3339 in JSON. Durations are
// int64 microseconds or nanoseconds with the unit in the name.

namespace weir {

// UTC, microseconds since the epoch.
using Moment = std::int64_t;

inline constexpr std::int64_t us_per_second = 1'000'000;
inline constexpr std::int64_t us_per_day = 86'400 * us_per_second;

// Wall clock. Thread-safe.
Moment now_us();

// Never goes back; only differences mean something. Thread-safe.
std::int64_t monotonic_ns();

// CPU time used by the calling thread so far.
std::int64_t thread_cpu_ns();

// "2026-11-24T14:55:04.123456Z"; the fraction is left out when it is zero.
std::string to_rfc3339(Moment moment);

// Reads RFC 3339 with "Z" or a numeric offset, a fraction of up to nine digits (cut to
// microseconds) and 'T', 't' or a space between date and time.
Result<Moment> parse_rfc3339(std::string_view text);

// The UTC day, "2026-11-24".
std::string to_day(Moment moment);

// Reads "10m", "90s", "250ms", "2h", "7d" into microseconds.
Result<std::int64_t> parse_duration(std::string_view text);

}  // namespace weir
