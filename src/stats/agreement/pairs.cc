#include "stats/agreement/pairs.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "stats/intervals/proportion.h"

namespace weir::stats {
namespace {

// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

}  // namespace

void Pairs::add(const Pair& pair) {
  ++pairs_;
  if (pair.served_latency_ns && pair.other_latency_ns) {
    const double us = static_cast<double>(*pair.other_latency_ns - *pair.served_latency_ns) / 1000;
    latency_us_.add(us);
    latency_histogram_us_.add(us);
  }
  if (!pair.served_ok || !pair.other_ok) {
    ++(pair.served_ok ? only_other_failed_ : pair.other_ok ? only_served_failed_ : both_failed_);
    return;
  }
  if (pair.labels != Pair::Labels::unknown) {
    ++labels_;
    if (pair.labels == Pair::Labels::same) ++agreed_;
  }
  if (!pair.served_score || !pair.other_score) return;
  const bool served_finite = std::isfinite(*pair.served_score);
  const bool other_finite = std::isfinite(*pair.other_score);
  if (served_finite != other_finite) ++only_one_finite_;
  if (!served_finite || !other_finite) return;
  const double difference = *pair.other_score - *pair.served_score;
  // Two huge scores of opposite sign; no mean could hold it.
  if (!std::isfinite(difference)) return;
  const double absolute = std::fabs(difference);
  score_signed_.add(difference);
  score_absolute_.add(absolute);
  score_max_absolute_ = std::max(score_max_absolute_, absolute);
  score_histogram_.add(absolute);
}

void Pairs::merge(const Pairs& other) {
  pairs_ += other.pairs_;
  only_served_failed_ += other.only_served_failed_;
  only_other_failed_ += other.only_other_failed_;
  both_failed_ += other.both_failed_;
  only_one_finite_ += other.only_one_finite_;
  labels_ += other.labels_;
  agreed_ += other.agreed_;
  score_signed_.merge(other.score_signed_);
  score_absolute_.merge(other.score_absolute_);
  score_max_absolute_ = std::max(score_max_absolute_, other.score_max_absolute_);
  score_histogram_.merge(other.score_histogram_);
  latency_us_.merge(other.latency_us_);
  latency_histogram_us_.merge(other.latency_histogram_us_);
}

PairsSummary Pairs::summary(const PairsOptions& options) const {
  // A mean interval needs a variance.
  const std::uint64_t enough = std::max<std::uint64_t>(options.min_pairs, 2);
  PairsSummary result;
  result.pairs = pairs_;
  result.only_served_failed = only_served_failed_;
  result.only_other_failed = only_other_failed_;
  result.both_failed = both_failed_;
  result.only_one_finite = only_one_finite_;
  const std::uint64_t compared = pairs_ - only_served_failed_ - only_other_failed_ - both_failed_;
  result.wanted = enough - std::min(enough, compared);
  if (labels_ >= enough) {
    result.labels = LabelAgreement{
        .n = labels_,
        .agreed = agreed_,
        .rate = static_cast<double>(agreed_) / static_cast<double>(labels_),
        .interval = wilson(agreed_, labels_, options.confidence)};
  }
  if (const std::uint64_t n = score_signed_.count(); n >= enough) {
    const double mean = score_signed_.mean();
    const auto count = static_cast<double>(n);
    result.scores = ScoreDistance{
        .n = n,
        .mean_absolute = score_absolute_.mean(),
        .root_mean_square = std::sqrt(score_signed_.variance() * (count - 1) / count + mean * mean),
        .max_absolute = score_max_absolute_,
        .mean_signed = mean,
        .mean_signed_interval = *mean_interval(score_signed_, options.confidence, enough),
        .p50_absolute = score_histogram_.quantile(0.5),
        .p90_absolute = score_histogram_.quantile(0.9),
        .p99_absolute = score_histogram_.quantile(0.99)};
  }
  if (latency_us_.count() >= enough) {
    result.latency = LatencyDifference{
        .n = latency_us_.count(),
        .mean_us = latency_us_.mean(),
        .mean_interval_us = *mean_interval(latency_us_, options.confidence, enough),
        .p50_us = latency_histogram_us_.quantile(0.5),
        .p90_us = latency_histogram_us_.quantile(0.9),
        .p99_us = latency_histogram_us_.quantile(0.99)};
  }
  result.confidence = options.confidence;
  return result;
}

std::string PairsSummary::text() const {
  if (wanted > 0) return fmt::format("not enough data, needs about {} more", grouped(wanted));
  std::string line;
  if (labels) {
    line = fmt::format(
        "{:.4g} % of {} labels agree ({:.4g} % interval {:.4g} to {:.4g})",
        labels->rate * 100,
        grouped(labels->n),
        confidence * 100,
        labels->interval.low * 100,
        labels->interval.high * 100
    );
  }
  if (scores) {
    line += fmt::format(
        "{}scores differ by {:.3g} on average, at most {:.3g} (n = {})",
        line.empty() ? "" : "; ",
        scores->mean_absolute,
        scores->max_absolute,
        grouped(scores->n)
    );
  }
  if (!line.empty()) return line;
  return fmt::format("{} pairs without a label or score to compare", grouped(pairs));
}

}  // namespace weir::stats
