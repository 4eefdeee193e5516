#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stats/intervals/interval.h"
#include "stats/intervals/mean.h"
#include "stats/sketches/log_histogram.h"

// How far two versions agree when both answer the same requests: the version that served, and
// another one, usually a shadow. Differences are other − served. Pure; one thread at a time.

namespace weir::stats {

// One row answered by both.
struct Pair {
  enum class Labels : std::uint8_t { unknown, same, different };

  bool served_ok = true;  // Neither labels nor scores of a failed answer are looked at.
  bool other_ok = true;
  Labels labels = Labels::unknown;
  // Both or none; a NaN or an infinity in only one of them is counted apart.
  std::optional<double> served_score = {};
  std::optional<double> other_score = {};
  std::optional<std::int64_t> served_latency_ns = {};
  std::optional<std::int64_t> other_latency_ns = {};
};

struct PairsOptions {
  // Below this many pairs no rate, distance or interval is given.
  std::uint64_t min_pairs = 30;
  double confidence = 0.95;
};

// The agreement of labels: agreed / n with Wilson's interval (see intervals/proportion.h). It
// assumes independent rows; rows of one client may not be.
struct LabelAgreement {
  std::uint64_t n = 0;
  std::uint64_t agreed = 0;
  double rate = 0;
  Interval interval;
};

// Over the n pairs with two finite scores, d = other − served.
struct ScoreDistance {
  std::uint64_t n = 0;
  double mean_absolute = 0;     // Σ|d| / n
  double root_mean_square = 0;  // sqrt(Σd² / n)
  double max_absolute = 0;
  double mean_signed = 0;         // Σd / n
  Interval mean_signed_interval;  // Normal approximation, see intervals/mean.h.
  double p50_absolute = 0;        // From a histogram, off by at most 1/8: sketches/log_histogram.h.
  double p90_absolute = 0;
  double p99_absolute = 0;
};

// Over the n pairs with both latencies, other − served, in microseconds.
struct LatencyDifference {
  std::uint64_t n = 0;
  double mean_us = 0;
  Interval mean_interval_us;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
};

struct PairsSummary {
  std::uint64_t pairs = 0;
  std::uint64_t only_served_failed = 0;
  std::uint64_t only_other_failed = 0;
  std::uint64_t both_failed = 0;
  // Exactly one of the two scores was NaN or infinite.
  std::uint64_t only_one_finite = 0;
  // Pairs still wanted before numbers are given; 0 when there are enough. The parts below are
  // absent when their own n is below min_pairs.
  std::uint64_t wanted = 0;
  std::optional<LabelAgreement> labels;
  std::optional<ScoreDistance> scores;
  std::optional<LatencyDifference> latency;
  double confidence = 0.95;

  // One line for people: "98.7 % of 12,340 labels agree (95 % interval 98.4 to 98.9)", or "not
  // enough data, needs about 12 more".
  std::string text() const;
};

class Pairs {
 public:
  void add(const Pair& pair);
  // As if all pairs of the other had been added.
  void merge(const Pairs& other);
  std::uint64_t count() const { return pairs_; }
  PairsSummary summary(const PairsOptions& options = {}) const;

 private:
  std::uint64_t pairs_ = 0;
  std::uint64_t only_served_failed_ = 0;
  std::uint64_t only_other_failed_ = 0;
  std::uint64_t both_failed_ = 0;
  std::uint64_t only_one_finite_ = 0;
  std::uint64_t labels_ = 0;
  std::uint64_t agreed_ = 0;
  Moments score_signed_;
  Moments score_absolute_;
  double score_max_absolute_ = 0;
  LogHistogram score_histogram_;
  Moments latency_us_;
  SignedLogHistogram latency_histogram_us_;
};

}  // namespace weir::stats
