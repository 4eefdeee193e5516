#include "serve/recorder.h"

#include <algorithm>
#include <chrono>
#include <semaphore>
#include <utility>

#include "serve/record_columns.h"

namespace weir::serve {
namespace {

std::atomic<std::uint64_t> next_recorder{1};

// Whether its tensors are so large that its bytes are to be counted at once.
bool is_large_request(const RecordRequest& request) {
  constexpr std::size_t small = 64U << 10;
  std::size_t bytes = 0;
  for (const tensor::Tensor& input : request.inputs) bytes += input.raw().size();
  for (const tensor::Tensor& output : request.outputs) bytes += output.raw().size();
  return bytes > small;
}

}  // namespace

Recorder::Recorder(
    const RecorderOptions& options, ledger::Ledger* ledger, std::vector<BatchObserver*> observers
)
    : options_(options),
      ledger_(ledger),
      observers_(std::move(observers)),
      number_(next_recorder.fetch_add(1)),
      thread_([this] { run(); }) {}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Recorder::Slot& Recorder::slot_of_this_thread() {
  struct Mine {
    std::uint64_t recorder = 0;
    std::shared_ptr<Slot> slot;
  };
  thread_local Mine mine;
  if (mine.recorder != number_) {
    mine.slot = std::make_shared<Slot>();
    mine.recorder = number_;
    const std::lock_guard lock(slots_mutex_);
    slots_.push_back(mine.slot);
  }
  return *mine.slot;
}

Recorder::Batch& Recorder::open_batch(Slot& slot, const RecordRequest& request) {
  for (Batch& batch : slot.open) {
    if (batch.version == request.version && !batch.is_full) return batch;
  }
  for (auto spare = slot.spare.begin(); spare != slot.spare.end(); ++spare) {
    if (spare->columns->specs() != request.version->layout().specs()) continue;
    slot.open.push_back(std::move(*spare));
    slot.spare.erase(spare);
    slot.open.back().version = request.version;
    return slot.open.back();
  }
  slot.open.push_back(
      {request.version, std::make_unique<tensor::Columns>(request.version->layout().specs())}
  );
  return slot.open.back();
}

std::optional<Recorder::Ticket> Recorder::record(const RecordRequest& request) {
  if (ledger_ == nullptr && observers_.empty()) return round_.load();
  recorded_.fetch_add(request.rows, std::memory_order_relaxed);
  // Adding up the columns costs more than a small row; the limit may be passed by this many.
  constexpr std::size_t rows_between_counts = 64;
  const bool is_large = is_large_request(request);
  Slot& slot = slot_of_this_thread();
  const std::lock_guard lock(slot.mutex);
  for (std::size_t done = 0; done < request.rows;) {
    if (queue_bytes_.load(std::memory_order_relaxed) >= options_.queue_max_bytes) {
      dropped_full_.fetch_add(request.rows - done, std::memory_order_relaxed);
      return std::nullopt;
    }
    Batch& batch = open_batch(slot, request);
    const std::size_t count = std::min(request.rows - done, rows_between_counts);
    append_rows(request, done, count, *batch.columns);
    done += count;
    const std::size_t uncounted = batch.columns->rows() - batch.counted_rows;
    if (is_large || uncounted >= rows_between_counts) count_bytes(batch);
  }
  return round_.load(std::memory_order_relaxed);
}

void Recorder::count_bytes(Batch& batch) {
  const std::uint64_t bytes = batch.columns->size_bytes();
  queue_bytes_.fetch_add(bytes - batch.counted_bytes, std::memory_order_relaxed);
  batch.counted_bytes = bytes;
  batch.counted_rows = batch.columns->rows();
  batch.is_full = bytes >= options_.batch_max_bytes;
}

void Recorder::when_flushed(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
  }
  wake_.notify_all();
}

void Recorder::flush() {
  std::binary_semaphore is_flushed{0};
  when_flushed([&] { is_flushed.release(); });
  is_flushed.acquire();
}

void Recorder::when_durable(Ticket ticket, std::function<void(Result<void>)> done) {
  when_flushed([this, ticket, done = std::move(done)]() mutable {
    // A round that began when the record was made may have written it or not: it counts.
    if (failed_round_.load(std::memory_order_relaxed) >= ticket) {
      done(tl::unexpected(failure_));
    } else if (ledger_ != nullptr) {
      ledger_->when_synced(std::move(done));
    } else {
      done({});
    }
  });
}

void Recorder::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, std::chrono::microseconds(options_.flush_interval_us), [&] {
      return is_stopping_ || !waiting_.empty();
    });
    const bool is_last = is_stopping_;
    auto waiting = std::exchange(waiting_, {});
    lock.unlock();

    round_.fetch_add(1);
    std::vector<std::shared_ptr<Slot>> slots;
    {
      const std::lock_guard slots_lock(slots_mutex_);
      slots = slots_;
    }
    for (const auto& slot : slots) flush_slot(*slot);
    for (const auto& done : waiting) done();

    lock.lock();
    if (is_last && waiting_.empty()) return;
  }
}

void Recorder::flush_slot(Slot& slot) {
  std::vector<Batch> batches;
  {
    const std::lock_guard lock(slot.mutex);
    batches.swap(slot.open);
  }
  for (Batch& batch : batches) hand_over(batch);
  // Memory is kept for the next round, but not the version: it may be waiting to be unloaded.
  constexpr std::size_t max_spare = 8;
  const std::lock_guard lock(slot.mutex);
  for (Batch& batch : batches) {
    const std::uint64_t bytes = batch.columns->size_bytes();
    if (slot.spare.size() >= max_spare) slot.spare.erase(slot.spare.begin());
    batch.version.reset();
    batch.is_full = false;
    if (bytes > 2 * options_.batch_max_bytes) continue;
    batch.columns->clear();
    slot.spare.push_back(std::move(batch));
  }
}

void Recorder::hand_over(Batch& batch) {
  const std::size_t rows = batch.columns->rows();
  if (ledger_ != nullptr) {
    const Result<void> written = ledger_->write(batch.version->endpoint(), *batch.columns);
    (written ? written_ : dropped_failed_).fetch_add(rows, std::memory_order_relaxed);
    if (!written) {
      failure_ = written.error();
      failed_round_.store(round_.load());
    }
  }
  for (BatchObserver* observer : observers_) observer->observe(*batch.version, *batch.columns);
  queue_bytes_.fetch_sub(batch.counted_bytes, std::memory_order_relaxed);
  batch.counted_bytes = 0;
  batch.counted_rows = 0;
}

RecorderCounts Recorder::counts() const {
  return {
      .recorded = recorded_.load(std::memory_order_relaxed),
      .written = written_.load(std::memory_order_relaxed),
      .dropped_full = dropped_full_.load(std::memory_order_relaxed),
      .dropped_failed = dropped_failed_.load(std::memory_order_relaxed),
      .queue_bytes = queue_bytes_.load(std::memory_order_relaxed),
  };
}

}  // namespace weir::serve
