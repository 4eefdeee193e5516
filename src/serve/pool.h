#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "model/session.h"
#include "serve/queue.h"

namespace weir::serve {

struct PoolOptions {
  int threads = 0;              // 0: one for each core that the process may use.
  std::int64_t slow_us = 1000;  // A run that is expected to take longer than this goes to the pool.
};

// The threads that run what would hold up an event loop: slow versions and batches. Each version
// has a queue of its own; the threads serve the queues in turn, one run each, so that a version
// with a long queue does not keep the others waiting. They give way to the event loops (nice + 10).
// Thread-safe.
class Pool {
 public:
  explicit Pool(const PoolOptions& options);
  ~Pool();  // Ends what waits with `unavailable`; waits for the runs under way.
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::int64_t slow_ns() const { return options_.slow_us * 1000; }
  int threads() const { return options_.threads; }

  // Pending, or done with an error: the queue is full, or the inference would come too late.
  model::Progress submit(Queue& queue, model::Inference& inference);
  // Takes an inference back that waits in the queue; false when it does not.
  bool withdraw(Queue& queue, model::Inference& inference);
  // Requests that wait in a queue.
  std::size_t waiting(const Queue& queue) const;

 private:
  // One run of a thread.
  struct Turn {
    std::vector<model::Inference*> batch;
    std::vector<model::Inference*> late;
    std::int64_t work_ns = 0;  // What it is expected to take.
    std::int64_t began_ns = 0;
  };

  void start_threads();
  void run();
  void sleep(std::unique_lock<std::mutex>& lock, std::int64_t now_ns, std::int64_t next_ns);
  void begin_turn(Queue& queue, std::int64_t now_ns, Turn& turn);
  void end_turn(Queue& queue, const Turn& turn);
  static void give_back(const Version& version, const Turn& turn);
  Queue* pick(std::int64_t now_ns, std::int64_t& next_ns);
  // How long a request that comes now would wait. Requires: the lock is held.
  std::int64_t wait_ns(const Queue& queue, std::int64_t now_ns) const;
  Result<void> check_wait(
      const Queue& queue, const model::Inference& inference, std::int64_t wait_ns
  ) const;
  void publish(const Queue& queue, std::int64_t now_ns) const;

  PoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Queue*> queues_;        // Those in which somebody waits, the next one first.
  int idle_ = 0;                      // Threads that wait for work…
  std::int64_t wake_ns_ = INT64_MAX;  // …and when the first of them looks again by itself.
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::serve
