#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "ledger/feedback.h"
#include "ledger/segment_log.h"

namespace weir::ledger {

// Feedback on its way to the disk: everyone who waits at the same time shares one sync. Owns a
// thread. Thread-safe.
class FeedbackLog {
 public:
  using Done = std::function<void(Result<void>)>;

  // `max_waiting` bounds the rows in the queue. The log must outlive this.
  FeedbackLog(SegmentLog& log, std::size_t max_waiting);
  // Writes what waits.
  ~FeedbackLog();

  // Calls `done` on the thread of this log when the feedback is on the device, or on the caller's
  // when there is no room.
  void append(std::string_view endpoint, std::vector<Feedback> feedback, Done done);

  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t errors = 0;  // Rows whose caller got an error.
  };
  Counts counts() const;

 private:
  struct Waiting {
    std::string endpoint;
    std::vector<Feedback> feedback;
    Done done;
  };
  void run();
  void write(std::vector<Waiting> batch);

  SegmentLog& log_;
  std::size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> queue_;
  std::size_t waiting_rows_ = 0;
  bool is_stopping_ = false;
  Counts counts_;
  std::thread thread_;
};

}  // namespace weir::ledger
