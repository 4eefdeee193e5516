#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/record.h"
#include "serve/answer.h"
#include "serve/version.h"
#include "tensor/columns.h"

// Turns answered requests into columns, once, and hands them on: to the ledger, and to everything
// else that watches records. The request path never waits for it.

namespace weir::serve {

// Watches finished batches, always on the recorder's thread. The columns are valid during the call.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void observe(const Version& version, const tensor::Columns& batch) = 0;
};

struct RecorderOptions {
  std::int64_t flush_interval_us = 10'000;      // Rows reach the operating system this soon.
  std::uint64_t queue_max_bytes = 16ULL << 20;  // Waiting for the disk; beyond: drop and count.
  std::uint64_t batch_max_bytes = 1ULL << 20;   // Handed to the ledger in one piece.
};

struct RecorderCounts {
  std::uint64_t recorded = 0;        // Rows handed over by the request path.
  std::uint64_t written = 0;         // Rows that the ledger took.
  std::uint64_t dropped_full = 0;    // Rows dropped because the queue was full.
  std::uint64_t dropped_failed = 0;  // Rows dropped because the disk refused them.
  std::uint64_t queue_bytes = 0;
};

// One row per row of a request, all with the same head apart from row, score and predicted.
struct RecordRequest {
  std::shared_ptr<const Version> version;
  ledger::RecordHead head;
  std::size_t rows = 1;
  std::span<const tensor::Tensor> inputs;      // Empty when they could not be bound.
  std::span<const tensor::Tensor> outputs;     // Empty when the model failed.
  std::span<const RowAnswer> answers;          // Empty likewise.
  std::span<const std::string_view> metadata;  // Values of layout().metadata(), in order.
};

// Thread-safe. Each thread that records gets a slot of its own, so that they do not meet.
class Recorder {
 public:
  // `ledger` is null when nothing is to be kept on disk. Ledger and observers outlive the recorder.
  Recorder(
      const RecorderOptions& options, ledger::Ledger* ledger, std::vector<BatchObserver*> observers
  );
  ~Recorder();  // Flushes, then stops.
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Which rounds of the recorder's thread may write a record.
  using Ticket = std::uint64_t;

  // Takes the rows; nothing when some were dropped because the queue is full. Never waits on disk.
  std::optional<Ticket> record(const RecordRequest& request);

  // Calls `done` on the recorder's thread once everything recorded before the call has been given
  // to the ledger and the observers.
  void when_flushed(std::function<void()> done);

  // The same, as a wait.
  void flush();

  // Calls `done` once the record is on the device, or with the reason why it is not:
  // `durability: always`. On the recorder's thread or the ledger's.
  void when_durable(Ticket ticket, std::function<void(Result<void>)> done);

  RecorderCounts counts() const;

 private:
  struct Batch {
    std::shared_ptr<const Version> version;
    std::unique_ptr<tensor::Columns> columns;
    bool is_full = false;
    std::size_t counted_rows = 0;  // Of these, the bytes are in queue_bytes_.
    std::uint64_t counted_bytes = 0;
  };
  struct Slot {
    std::mutex mutex;
    std::vector<Batch> open;
    std::vector<Batch> spare;  // Emptied batches, kept for their memory.
  };
  Slot& slot_of_this_thread();
  Batch& open_batch(Slot& slot, const RecordRequest& request);
  void run();
  void count_bytes(Batch& batch);
  void flush_slot(Slot& slot);
  void hand_over(Batch& batch);

  RecorderOptions options_;
  ledger::Ledger* ledger_;
  std::vector<BatchObserver*> observers_;

  mutable std::mutex slots_mutex_;
  std::vector<std::shared_ptr<Slot>> slots_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::function<void()>> waiting_;
  Error failure_{Code::unavailable, ""};  // Of the last round that failed; its thread's own.
  bool is_stopping_ = false;

  std::uint64_t number_;  // Tells recorders apart in thread-local storage.
  std::atomic<Ticket> round_{1};
  std::atomic<Ticket> failed_round_{0};
  std::atomic<std::uint64_t> recorded_{0};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_full_{0};
  std::atomic<std::uint64_t> dropped_failed_{0};
  std::atomic<std::uint64_t> queue_bytes_{0};
  std::thread thread_;
};

}  // namespace weir::serve
