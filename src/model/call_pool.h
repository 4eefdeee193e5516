#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "model/session.h"

// Threads that wait for others in place of the event loops: the calls of a session that is not
// inside this process stand in one bounded queue, and each thread carries one of them at a time.
// One more thread ends calls whose deadline comes while they are in the queue.

namespace weir::model {

struct CallPoolOptions {
  std::string name;  // Of the session, for messages.
  int threads = 8;
  std::size_t queue = 1024;  // Calls that no thread has taken yet; beyond: exhausted.
};

// Thread-safe. Destroying it waits for the calls that are under way; nobody may submit then.
class CallPool {
 public:
  // Does the call with what belongs to this thread (0, 1, …) and completes it: complete() is called
  // by the handler, once, and the inference is not touched after that.
  using Handler = std::function<void(std::size_t thread, Inference& inference)>;

  static Result<std::unique_ptr<CallPool>> start(const CallPoolOptions& options, Handler handler);
  ~CallPool();

  // Pending, or done with an error when the queue is full.
  Progress submit(Inference& inference);

 private:
  static constexpr Moment never = std::numeric_limits<Moment>::max();

  CallPool(const CallPoolOptions& options, Handler handler)
      : options_(options), handler_(std::move(handler)) {}
  Result<void> start_threads();
  void run(std::size_t thread);
  void watch();
  std::vector<Inference*> take_late(Moment now);
  void end_late(Inference& inference) const;

  CallPoolOptions options_;
  Handler handler_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable deadline_changed_;
  std::deque<Inference*> waiting_;
  std::size_t idle_ = 0;          // Threads that wait for a call.
  Moment next_deadline_ = never;  // What the watching thread waits for.
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;  // The last one watches.
};

}  // namespace weir::model
