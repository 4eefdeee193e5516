#pragma once

#include <cstdint>

// Does an event (an error, a click) happen at the same rate in both arms? A test on two counts that
// may be read after every request without inflating false alarms: under equal rates the probability
// that E ever reaches 1/α is at most α (J.-A. Ville's inequality). Assumes that events are
// exchangeable within a segment; bursts of one client break that. Pure.

namespace weir::stats {

// ln E for x of n events in the arm that gets the share `theta` of the requests, with a
// beta(a, b) mixture:
//   ln E = ln B(a + x, b + n − x) − ln B(a, b) − x ln θ − (n − x) ln(1 − θ).
// M. Lindon and A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022. The
// large terms are cancelled by hand: the absolute error stays below 1e-9 up to n = 10^12.
// Requires: x <= n, a > 0, b > 0, 0 < theta < 1.
double log_count_e_value(std::uint64_t x, std::uint64_t n, double a, double b, double theta);

// The test over a rollout, whose share changes from stage to stage: each stage is a segment with
// its own share, and ln E adds up over segments. The prior of a segment is beta(kθ, k(1 − θ)).
class CountEprocess {
 public:
  // k: how strongly the mixture expects equal rates; 10 is (½, 9½) at 5 %.
  explicit CountEprocess(double prior_strength = 10) : prior_strength_(prior_strength) {}

  // Ends the present segment. A share of 0 or 1 gives no evidence: its events are ignored.
  void start_segment(double theta);

  // More events since the last call in this segment; `x` of the `n` came from the arm under test.
  // Requires: x <= n.
  void add(std::uint64_t x, std::uint64_t n);

  double log_e() const { return closed_log_e_ + open_log_e_; }
  double max_log_e() const { return max_log_e_; }
  // 1 / max E, at most 1: valid at any time.
  double p_value() const;
  // More events in the arm under test than its share, over all segments: the test has two sides.
  bool is_above() const { return static_cast<double>(x_) > expected_; }

  std::uint64_t x() const { return x_; }
  std::uint64_t n() const { return n_; }

 private:
  double prior_strength_;
  double theta_ = 0;
  std::uint64_t segment_x_ = 0;
  std::uint64_t segment_n_ = 0;
  double closed_log_e_ = 0;
  double open_log_e_ = 0;
  double max_log_e_ = 0;
  std::uint64_t x_ = 0;  // Over all segments that count.
  std::uint64_t n_ = 0;
  double expected_ = 0;
};

}  // namespace weir::stats
