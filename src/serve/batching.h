#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

// When requests of one version that wait leave together as one batch. Pure: time is an argument.

namespace weir::serve {

struct BatchingOptions {
  enum class Mode : std::uint8_t {
    off,    // Each request is run alone.
    fixed,  // Waits until max_rows are there or the oldest has waited max_delay.
    learn,  // `auto`: waits only while waiting is expected to pay.
  } mode = Mode::off;
  std::size_t max_rows = 256;  // Of one batch; a larger request runs alone.
  std::int64_t max_delay_us = 1000;
  // `auto` leaves a version alone whose fixed cost is below this: passing a request to another
  // thread would cost as much as it saves.
  std::int64_t min_fixed_us = 50;
};

// The requests of one version that wait.
struct Waiting {
  std::size_t requests = 0;
  std::size_t rows = 0;
  std::int64_t oldest_ns = 0;  // When the first and…
  std::int64_t newest_ns = 0;  // …the last of them came.
  std::int64_t gap_ns = 0;     // Between two requests, on average lately.
};

// When the next batch leaves, monotonic; a moment that is past means now. `fixed_ns` is what a run
// costs whatever its rows. Requires: at least one request waits.
//
// `auto`: waiting for one more request takes a gap's time of each of the n that wait, and spares
// that one the fixed cost. So it pays while n · gap < fixed cost; and no longer than twice the gap
// after the last one came, because then the burst is over.
std::int64_t leave_at_ns(const BatchingOptions& options, const Waiting& waiting, double fixed_ns);

}  // namespace weir::serve
