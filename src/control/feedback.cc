#include "control/feedback.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "ledger/refill.h"
#include "serve/version.h"

namespace weir::control {
namespace {

// The places of the columns that the index wants, in ledger/record.h's order.
struct Places {
  std::size_t id = 0;
  std::size_t row = 0;
  std::size_t recorded_at = 0;
  std::size_t version = 0;
  std::size_t arm = 0;
  std::size_t predicted = 0;
};

Places find_places() {
  const auto specs = ledger::head_specs();
  const auto place = [&](std::string_view name) {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].name == name) return i;
    }
    CHECK(false, "a record has this column");
    return std::size_t{0};
  };
  return {
      place("id"),
      place("row"),
      place("recorded_at"),
      place("version"),
      place("arm"),
      place("predicted")};
}

}  // namespace

std::shared_ptr<ledger::FeedbackIndex> FeedbackDesk::index_of(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  auto& index = indices_[endpoint];
  if (!index) index = std::make_shared<ledger::FeedbackIndex>(options_.index);
  return index;
}

FeedbackDesk::~FeedbackDesk() {
  if (!refill_thread_.joinable()) return;
  is_stopping_ = true;
  if (is_refilling_) refill_worker_->stop();
  refill_thread_.join();
}

void FeedbackDesk::refill(
    ledger::Snapshot snapshot, std::vector<std::string> endpoints, table::Worker& worker
) {
  if (snapshot.segments.empty() && snapshot.endpoints.empty()) return;  // A new ledger.
  refill_worker_ = &worker;
  is_refilling_ = true;
  refill_thread_ =
      std::thread([this, snapshot = std::move(snapshot), endpoints = std::move(endpoints)] {
        for (const std::string& endpoint : endpoints) refill_one(snapshot, endpoint);
        is_refilling_ = false;
      });
}

void FeedbackDesk::refill_one(const ledger::Snapshot& snapshot, const std::string& endpoint) {
  if (is_stopping_) return;
  ledger::FeedbackIndex older(options_.index);
  const auto count = ledger::refill(
      older,
      snapshot,
      endpoint,
      *refill_worker_,
      {.records = options_.index.recent_records,
       .is_stopping = [this] { return is_stopping_.load(); }}
  );
  if (!count && !is_stopping_) {
    LOG(warning,
        "live accuracy of '{}' begins anew, SQL knows all of it: {}",
        endpoint,
        count.error().message);
  }
  if (count && *count > 0) index_of(endpoint)->put_before(std::move(older));
}

void FeedbackDesk::observe(const serve::Version& version, const tensor::Columns& batch) {
  static const Places places = find_places();
  std::vector<ledger::IndexedPrediction> predictions;
  predictions.reserve(batch.rows());
  const auto rows = batch[places.row].values<std::uint32_t>();
  const auto recorded_at = batch[places.recorded_at].values<Moment>();
  const auto versions = batch[places.version].values<std::uint32_t>();
  for (std::size_t i = 0; i < batch.rows(); ++i) {
    predictions.push_back({
        .id = batch[places.id].text(i),
        .row = rows[i],
        .recorded_at = recorded_at[i],
        .version = versions[i],
        .arm = batch[places.arm].text(i),
        .predicted = batch[places.predicted].text(i),
    });
  }
  index_of(version.endpoint())->insert(predictions);
}

void FeedbackDesk::submit(
    const std::string& endpoint, std::vector<ledger::Feedback> rows, Done done
) {
  if (ledger_ == nullptr) {
    done(fail(
        Code::unavailable,
        "this server keeps no ledger (--ledger off), so feedback cannot be stored"
    ));
    return;
  }
  const auto index = index_of(endpoint);
  auto kept = std::make_shared<const std::vector<ledger::Feedback>>(rows);
  ledger_->append_feedback(
      endpoint,
      std::move(rows),
      [index, kept, done = std::move(done)](const Result<void>& stored) {
        if (!stored) {
          done(tl::unexpected(stored.error()));
          return;
        }
        done(index->apply(*kept));
      }
  );
}

std::vector<ledger::ArmAccuracy> FeedbackDesk::accuracy(const std::string& endpoint) const {
  return index_of(endpoint)->accuracy();
}

ledger::FeedbackCounts FeedbackDesk::totals(const std::string& endpoint) const {
  return index_of(endpoint)->totals();
}

std::uint64_t FeedbackDesk::repeated_ids(const std::string& endpoint) const {
  return index_of(endpoint)->repeated_ids();
}

}  // namespace weir::control
