#include "serve/comparison.h"

#include <algorithm>

namespace weir::serve {
namespace {

using Labels = stats::Pair::Labels;

Labels compare_labels(const RowAnswer& primary, const RowAnswer& other) {
  if (primary.predicted.empty() || other.predicted.empty()) return Labels::unknown;
  return primary.predicted == other.predicted ? Labels::same : Labels::different;
}

}  // namespace

void Comparison::add(const PairKey& key, const Side& primary, const Side& other) {
  const std::lock_guard lock(mutex_);
  stats::Pairs& pairs = pairs_[key];
  const std::size_t rows = std::max(primary.rows.size(), other.rows.size());
  for (std::size_t row = 0; row < rows; ++row) {
    stats::Pair pair;
    pair.served_ok = primary.is_ok;
    pair.other_ok = other.is_ok;
    if (row < primary.rows.size() && row < other.rows.size()) {
      const RowAnswer& left = primary.rows[row];
      const RowAnswer& right = other.rows[row];
      pair.labels = compare_labels(left, right);
      if (left.has_score && right.has_score) {
        pair.served_score = left.score;
        pair.other_score = right.score;
      }
    }
    // The request's time stands once, not once a row.
    if (row == 0 && primary.is_ok && other.is_ok) {
      pair.served_latency_ns = primary.run_ns;
      pair.other_latency_ns = other.run_ns;
    }
    pairs.add(pair);
  }
}

std::vector<Comparison::Entry> Comparison::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  for (const auto& [key, pairs] : pairs_) entries.push_back({key, pairs});
  return entries;
}

}  // namespace weir::serve
