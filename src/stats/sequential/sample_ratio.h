#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "stats/sequential/count_eprocess.h"

// Does the observed split fit the configured shares? A mismatch is a routing fault and makes every
// comparison of arms worthless. Count what is drawn independently: requests when the key is random,
// distinct keys when keys repeat, since one busy client is no fault. Pure.

namespace weir::stats {

// Pearson's χ² against fixed shares, for one look at the end.
struct ChiSquare {
  double statistic = 0;
  std::uint64_t degrees_of_freedom = 0;
  double p_value = 1;  // From the χ² distribution; fair from about five expected in each arm.
};
// Something observed where the share is 0 gives p = 0. Requires: as many shares as counts, none
// negative, sum 1 to within 1e-9.
ChiSquare chi_square(std::span<const std::uint64_t> observed, std::span<const double> shares);

// The check that may be read at any time: the e-process of count_eprocess.h over all requests.
class SampleRatio {
 public:
  struct Options {
    double alpha = 0.001;           // Probability of ever crying wolf.
    std::uint64_t min_count = 100;  // Below it: not enough data.
  };
  enum class Verdict : std::uint8_t { not_enough_data, fits, differs };

  SampleRatio();
  explicit SampleRatio(const Options& options);

  // The configured share of the candidate changed.
  void start_segment(double candidate_share);
  // Requests since the last call.
  void add(std::uint64_t candidate, std::uint64_t primary);

  Verdict verdict() const;
  double p_value() const;
  std::uint64_t count() const { return count_; }
  // "fits: 5.02 % of 12,340 where 5 % is configured (p = 0.8)".
  std::string text() const;

 private:
  Options options_;
  CountEprocess process_;
  double share_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t candidate_ = 0;
  double expected_ = 0;
  bool is_impossible_ = false;  // An arm with share 0 answered.
};

}  // namespace weir::stats
