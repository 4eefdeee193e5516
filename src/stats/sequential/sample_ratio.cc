#include "stats/sequential/sample_ratio.h"

#include <cmath>
#include <numeric>

#include <boost/math/special_functions/gamma.hpp>
#include <fmt/core.h>

#include "base/check.h"

namespace weir::stats {

ChiSquare chi_square(std::span<const std::uint64_t> observed, std::span<const double> shares) {
  CHECK(observed.size() == shares.size(), "a share for every count");
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  CHECK(std::fabs(sum - 1) <= 1e-9, "shares add up to one");
  const auto total =
      static_cast<double>(std::accumulate(observed.begin(), observed.end(), std::uint64_t{0}));
  ChiSquare result;
  std::uint64_t arms = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    CHECK(shares[i] >= 0, "a share is not negative");
    const auto count = static_cast<double>(observed[i]);
    const double expected = shares[i] * total;
    if (shares[i] > 0) ++arms;
    if (expected > 0) {
      result.statistic += (count - expected) * (count - expected) / expected;
    } else if (observed[i] > 0) {
      result.statistic = HUGE_VAL;
    }
  }
  result.degrees_of_freedom = arms > 0 ? arms - 1 : 0;
  if (std::isinf(result.statistic)) {
    result.p_value = 0;
  } else if (result.degrees_of_freedom > 0) {
    result.p_value = boost::math::gamma_q(
        static_cast<double>(result.degrees_of_freedom) / 2, result.statistic / 2
    );
  }
  return result;
}

SampleRatio::SampleRatio() : SampleRatio(Options{}) {}
SampleRatio::SampleRatio(const Options& options) : options_(options) {}

void SampleRatio::start_segment(double candidate_share) {
  CHECK(candidate_share >= 0 && candidate_share <= 1, "a share inside [0, 1]");
  share_ = candidate_share;
  process_.start_segment(candidate_share);
}

void SampleRatio::add(std::uint64_t candidate, std::uint64_t primary) {
  const std::uint64_t total = candidate + primary;
  if ((share_ <= 0 && candidate > 0) || (share_ >= 1 && primary > 0)) is_impossible_ = true;
  count_ += total;
  candidate_ += candidate;
  expected_ += share_ * static_cast<double>(total);
  process_.add(candidate, total);
}

double SampleRatio::p_value() const {
  return is_impossible_ ? 0 : process_.p_value();
}

SampleRatio::Verdict SampleRatio::verdict() const {
  if (p_value() <= options_.alpha) return Verdict::differs;
  return count_ < options_.min_count ? Verdict::not_enough_data : Verdict::fits;
}

std::string SampleRatio::text() const {
  const Verdict now = verdict();
  if (now == Verdict::not_enough_data) {
    return fmt::format("not enough data, needs about {} more", options_.min_count - count_);
  }
  const double total = count_ == 0 ? 1 : static_cast<double>(count_);
  return fmt::format(
      "{}: {:.4g} % of {} where {:.4g} % is configured (anytime p = {:.2g})",
      now == Verdict::fits ? "fits" : "differs",
      static_cast<double>(candidate_) / total * 100,
      count_,
      expected_ / total * 100,
      p_value()
  );
}

}  // namespace weir::stats
