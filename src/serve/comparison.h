#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "serve/answer.h"
#include "stats/agreement/pairs.h"

namespace weir::serve {

// Which two versions of an endpoint are compared: the one that answered, and the other one.
struct PairKey {
  std::string endpoint;
  std::uint32_t primary = 0;
  std::uint32_t other = 0;
  auto operator<=>(const PairKey&) const = default;
};

// Compares answers of two versions to the same request, row by row. Thread-safe.
class Comparison {
 public:
  // What one version answered to a request.
  struct Side {
    std::span<const RowAnswer> rows;
    std::int64_t run_ns = 0;  // Time inside the model, of the whole request.
    bool is_ok = true;
  };
  void add(const PairKey& key, const Side& primary, const Side& other);

  struct Entry {
    PairKey key;
    stats::Pairs pairs;
  };
  std::vector<Entry> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::map<PairKey, stats::Pairs> pairs_;
};

}  // namespace weir::serve
