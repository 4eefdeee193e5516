#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "model/session.h"
#include "serve/batching.h"
#include "serve/cost.h"

namespace weir::serve {

class Version;

struct QueueOptions {
  std::size_t max_requests = 1024;           // That wait for one version; beyond: exhausted.
  std::size_t max_rows = 1U << 20;           // Of these requests together.
  std::int64_t max_wait_us = us_per_second;  // Who would wait longer than this is refused at once.
  int max_running = 0;  // Runs of one version at once; 0: as many as the pool has threads.
};

// The requests of one version that wait for a thread of the pool, the most urgent first: a lower
// `priority` goes first, equal ones in the order in which they came. Guarded by the pool; time is
// an argument.
class Queue {
 public:
  Queue(
      const Version& version,
      const Cost& cost,
      const QueueOptions& options,
      const BatchingOptions& batching
  )
      : version_(version), cost_(cost), options_(options), batching_(batching) {}

  const Version& version() const { return version_; }
  const QueueOptions& options() const { return options_; }
  bool is_empty() const { return waiting_.empty(); }
  std::size_t requests() const { return waiting_.size(); }
  std::size_t rows() const { return rows_; }

  // Whether one more request may wait, as far as numbers go.
  Result<void> check_room(const model::Inference& inference) const;
  void push(model::Inference& inference, std::int64_t now_ns);
  // When its next run should begin. Requires: not empty.
  std::int64_t leave_at_ns() const;
  // Takes those whose deadline has passed.
  void take_late(Moment now, std::vector<model::Inference*>& late);
  // False when it is not among those that wait.
  bool remove(const model::Inference& inference);
  // Takes the first and all that may share its run, up to the limit of a batch.
  void take(bool may_batch, std::vector<model::Inference*>& batch);

  // What the runs of all that wait are expected to take…
  std::int64_t work_ns() const;
  // …in so many runs.
  std::size_t runs() const;

  // Kept by the pool.
  int running = 0;                    // Runs that are under way…
  std::int64_t running_work_ns = 0;   // …what they were expected to take…
  std::int64_t running_since_ns = 0;  // …and when the last of them began.
  double pace = 1;  // What a run takes by the clock, against what it was expected to.

 private:
  struct Entry {
    model::Inference* inference;
    std::int64_t since_ns;
  };

  const Version& version_;
  const Cost& cost_;
  const QueueOptions options_;
  const BatchingOptions batching_;
  std::deque<Entry> waiting_;
  std::size_t rows_ = 0;
  std::int64_t newest_ns_ = 0;
  double gap_ns_ = 1e9;
};

}  // namespace weir::serve
