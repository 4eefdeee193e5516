#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/session.h"
#include "serve/batching.h"
#include "serve/cost.h"
#include "serve/pool.h"
#include "serve/record_layout.h"
#include "serve/statistics.h"

namespace weir::serve {

class Batch;

// Limits of one version.
struct VersionLimits {
  std::uint32_t max_concurrency = 1024;  // Requests inside the version at once; beyond: exhausted.
  std::int64_t deadline_us = 0;          // Of requests that name none; 0: none.
  std::uint64_t max_memory_bytes = 0;    // A version that takes more is not loaded; 0: no limit.
  QueueOptions queue;
  BatchingOptions batching;
};

// What is known of a version before it is loaded.
struct VersionIdentity {
  std::string endpoint;
  std::uint32_t number = 0;  // 1, 2, … per endpoint.
  std::string sha256;        // Of the artifact and its sidecar.
  std::string name;          // A person's name for it; may be empty.
};

// One loaded, immutable model of an endpoint. Shared by the routes that use it; when the last one
// goes, its memory goes back to the system. Thread-safe.
class Version {
 public:
  // Without a pool every run is inline. A session that is inline is timed once on made-up input.
  Version(
      VersionIdentity identity,
      std::unique_ptr<model::Session> session,
      const VersionLimits& limits,
      const std::vector<std::string>& endpoint_features,
      const std::vector<std::string>& metadata,
      Pool* pool = nullptr
  );
  Version(const Version&) = delete;
  Version& operator=(const Version&) = delete;

  const std::string& endpoint() const { return identity_.endpoint; }
  std::uint32_t number() const { return identity_.number; }
  const std::string& number_text() const { return number_text_; }
  const std::string& sha256() const { return identity_.sha256; }
  const std::string& name() const { return identity_.name; }
  const model::Signature& signature() const { return session_->signature(); }
  const RecordLayout& layout() const { return layout_; }
  const VersionLimits& limits() const { return limits_; }
  std::size_t memory_bytes() const { return session_->memory_bytes(); }
  VersionStatistics& statistics() const { return statistics_; }
  VersionMeter& meter() const { return meter_; }
  const Cost& cost() const { return cost_; }
  // Requests that wait for a thread of the pool.
  std::size_t queued() const { return queued_.load(std::memory_order_relaxed); }

  // A place inside the version; false when max_concurrency requests are in it.
  bool enter() const {
    if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limits_.max_concurrency) return true;
    leave();
    return false;
  }
  void leave() const { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

  // Whether a request would be refused now, asked before it is decoded: its queue is full, or takes
  // longer than is allowed. `left_us` until its deadline; 0: it has none.
  bool is_overloaded(std::int64_t left_us) const;
  // Whether its queue is half as long as it may be: what is not needed should stay away.
  bool is_half_full() const;

  // Runs a fast inference at once, and passes a slow one, or one for a batch, to the pool.
  // Requires: enter() returned true.
  model::Progress infer(model::Inference& inference) const;
  // Takes a pending inference back that still waits in the queue: true, and it will not be
  // completed. False when it is too late for that.
  bool withdraw(model::Inference& inference) const;
  // Runs it on this thread whatever it costs.
  model::Progress infer_here(model::Inference& inference) const;

  // --- for the pool ---------------------------------------------------------------------------
  // Runs them as one, or one by one where that fails, so that each gets its own error.
  void run(std::span<model::Inference* const> members, Batch& memory) const;
  bool may_batch() const { return may_batch_.load(std::memory_order_relaxed); }
  // Whether an inference came while another one was at work.
  void found_others(bool found) const { overlap_.add(found); }
  void publish_wait(std::int64_t wait_ns, std::size_t queued) const {
    wait_ns_.store(wait_ns, std::memory_order_relaxed);
    queued_.store(queued, std::memory_order_relaxed);
  }

 private:
  enum class Measured : std::uint8_t { sampled, always };

  bool wants_pool(const model::Inference& inference) const;
  bool batching_pays() const;
  model::Progress run_session(model::Inference& inference, Measured measured) const;
  void run_batch(std::span<model::Inference* const> members, Batch& memory) const;
  void time_made_up_row() const;

  VersionIdentity identity_;
  std::string number_text_;
  std::unique_ptr<model::Session> session_;
  VersionLimits limits_;
  RecordLayout layout_;
  Pool* pool_;
  mutable VersionStatistics statistics_;
  mutable VersionMeter meter_;
  mutable std::atomic<std::uint32_t> in_flight_{0};

  mutable Cost cost_;
  mutable std::atomic<std::uint32_t> runs_{0};        // Inline; some may go uncounted.
  mutable std::atomic<std::size_t> largest_rows_{0};  // That was ever measured.
  mutable std::atomic<bool> is_slow_{false};          // The last answer, for hysteresis.
  mutable std::atomic<bool> may_batch_;
  mutable std::atomic<bool> gathers_{false};  // The same for batching that learns.
  mutable Share overlap_;
  mutable std::atomic<std::int64_t> last_end_ns_{0};  // Of an inline run, with batching.
  mutable std::atomic<std::int64_t> wait_ns_{0};
  mutable std::atomic<std::size_t> queued_{0};
  mutable Queue queue_;  // Guarded by the pool.
};

}  // namespace weir::serve
