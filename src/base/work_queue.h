#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

struct WorkQueueOptions {
  int threads = 4;
  std::size_t queue_max = 256;
};

// Threads for work that takes long (loading a model, SQL), so that nothing else waits for it.
// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(const WorkQueueOptions& options);
  ~WorkQueue();  // Finishes what is queued.
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False when the queue is full; the work is then not done.
  bool post(std::function<void()> work);

 private:
  void run();

  WorkQueueOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir
