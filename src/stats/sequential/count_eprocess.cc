#include "stats/sequential/count_eprocess.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/log1p.hpp>

#include "base/check.h"

namespace weir::stats {
namespace {

// ln Γ(z) minus the leading terms of Stirling's series, (z − ½) ln z − z + ½ ln 2π. From z = 10 on
// the series to z^-13 is exact to 1e-16; below, the terms are small and do not cancel badly.
double stirling_rest(double z) {
  if (z < 10) {
    constexpr double half_log_two_pi = 0.91893853320467274178;
    return boost::math::lgamma(z) - ((z - 0.5) * std::log(z) - z + half_log_two_pi);
  }
  const double y = 1 / (z * z);
  const double series =
      1.0 / 12 -
      y * (1.0 / 360 -
           y * (1.0 / 1260 -
                y * (1.0 / 1680 - y * (1.0 / 1188 - y * (691.0 / 360360 - y * (1.0 / 156))))));
  return series / z;
}

// ln B(p, q) − p ln θ − q ln(1 − θ) − ½ ln 2π, where the large terms have cancelled to
// s · KL(p/s ‖ θ) with s = p + q. That divergence again is written so that its first-order terms,
// which add up to zero, are gone: with u and v the relative deviations,
// s · KL = p (ln(1+u) − u) + q (ln(1+v) − v) + d² / (s θ (1−θ)), d = p − sθ.
double tilted_log_beta(double p, double q, double theta) {
  const double s = p + q;
  const double rest_theta = 1 - theta;
  const double d = std::fma(-s, theta, p);
  const double u = d / (s * theta);
  const double v = -d / (s * rest_theta);
  const double divergence =
      p * boost::math::log1pmx(u) + q * boost::math::log1pmx(v) + d * d / (s * theta * rest_theta);
  return divergence - 0.5 * std::log(p / s * q) + stirling_rest(p) + stirling_rest(q) -
         stirling_rest(s);
}

}  // namespace

double log_count_e_value(std::uint64_t x, std::uint64_t n, double a, double b, double theta) {
  CHECK(x <= n && a > 0 && b > 0 && theta > 0 && theta < 1, "counts, prior and share are possible");
  if (n == 0) return 0;
  const double p = a + static_cast<double>(x);
  const double q = b + static_cast<double>(n - x);
  return tilted_log_beta(p, q, theta) - tilted_log_beta(a, b, theta);
}

void CountEprocess::start_segment(double theta) {
  closed_log_e_ += open_log_e_;
  open_log_e_ = 0;
  segment_x_ = 0;
  segment_n_ = 0;
  theta_ = theta;
}

void CountEprocess::add(std::uint64_t x, std::uint64_t n) {
  CHECK(x <= n, "events of one arm are among all events");
  if (!(theta_ > 0 && theta_ < 1)) return;
  segment_x_ += x;
  segment_n_ += n;
  x_ += x;
  n_ += n;
  expected_ += theta_ * static_cast<double>(n);
  open_log_e_ = log_count_e_value(
      segment_x_, segment_n_, prior_strength_ * theta_, prior_strength_ * (1 - theta_), theta_
  );
  max_log_e_ = std::max(max_log_e_, log_e());
}

double CountEprocess::p_value() const {
  return std::min(1.0, std::exp(-max_log_e_));
}

}  // namespace weir::stats
