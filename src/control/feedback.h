#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "ledger/feedback.h"
#include "ledger/feedback_index.h"
#include "ledger/ledger.h"
#include "ledger/snapshot.h"
#include "serve/recorder.h"
#include "table/worker.h"

namespace weir::control {

struct FeedbackOptions {
  ledger::FeedbackIndex::Options index;  // Of one endpoint.
  std::size_t max_rows = 100'000;        // Of one call.
  std::size_t max_id_bytes = 1024;
  std::size_t max_text_bytes = 4096;  // A label, event or tag.
};

// Takes labels, events and tags: writes them to the ledger, and matches them with recent
// predictions, which it learns from the recorder. Thread-safe.
class FeedbackDesk final : public serve::BatchObserver {
 public:
  using Done = std::function<void(Result<ledger::FeedbackCounts>)>;

  // `ledger` is null when nothing is kept on disk: feedback is then refused.
  FeedbackDesk(const FeedbackOptions& options, ledger::Ledger* ledger)
      : options_(options), ledger_(ledger) {}
  ~FeedbackDesk() override;  // Gives up a refill.
  FeedbackDesk(const FeedbackDesk&) = delete;
  FeedbackDesk& operator=(const FeedbackDesk&) = delete;

  // On a thread of its own, one endpoint after the other: the predictions and labels that the index
  // held before a restart. `snapshot` was taken before the first record and the first feedback of
  // this process, `worker` outlives this. Called once at most.
  void refill(ledger::Snapshot snapshot, std::vector<std::string> endpoints, table::Worker& worker);

  // On the recorder's thread.
  void observe(const serve::Version& version, const tensor::Columns& batch) override;

  // `done` is called once all rows are on the device, or with the reason why none is; on the
  // ledger's feedback thread, or right here.
  void submit(const std::string& endpoint, std::vector<ledger::Feedback> rows, Done done);

  std::vector<ledger::ArmAccuracy> accuracy(const std::string& endpoint) const;
  ledger::FeedbackCounts totals(const std::string& endpoint) const;
  std::uint64_t repeated_ids(const std::string& endpoint) const;

 private:
  std::shared_ptr<ledger::FeedbackIndex> index_of(const std::string& endpoint) const;
  void refill_one(const ledger::Snapshot& snapshot, const std::string& endpoint);

  FeedbackOptions options_;
  ledger::Ledger* ledger_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<ledger::FeedbackIndex>> indices_;
  table::Worker* refill_worker_ = nullptr;
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_refilling_{false};
  std::thread refill_thread_;
};

// Reads a JSON array of feedback objects, a single object, or NDJSON (one object a line):
// {"id", "row" (default 0), "label" | "event" + "value" | "tag", "time" (RFC 3339 or µs, default
// now)}. All rows are valid or the first fault is the error, with its place.
Result<std::vector<ledger::Feedback>> parse_feedback(
    std::string_view body, Moment now, const FeedbackOptions& options
);

}  // namespace weir::control
