#include "serve/batching.h"

#include <algorithm>

namespace weir::serve {

std::int64_t leave_at_ns(const BatchingOptions& options, const Waiting& waiting, double fixed_ns) {
  using Mode = BatchingOptions::Mode;
  if (options.mode == Mode::off || waiting.rows >= options.max_rows) return waiting.oldest_ns;
  if (options.mode == Mode::fixed) return waiting.oldest_ns + options.max_delay_us * 1000;
  const auto gap_ns = static_cast<double>(waiting.gap_ns);
  if (static_cast<double>(waiting.requests) * gap_ns >= fixed_ns) return waiting.oldest_ns;
  const auto longest_ns = waiting.oldest_ns + static_cast<std::int64_t>(fixed_ns);
  return std::min(waiting.newest_ns + 2 * waiting.gap_ns, longest_ns);
}

}  // namespace weir::serve
