#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "http/server.h"

namespace weir::http {

struct BackgroundOptions {
  int threads = 4;
  std::size_t queue_max = 256;
};

// Threads for requests that take long (loading a model, SQL), so that no event loop waits for them.
// Thread-safe.
class Background {
 public:
  // What is to be sent when the work is done; called on the loop of the exchange.
  using Answer = std::function<void(Exchange&)>;
  using Work = std::function<Answer()>;

  explicit Background(const BackgroundOptions& options);
  ~Background();  // Finishes what is queued.
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Runs the work on a thread of its own and the answer on the exchange's loop. When the queue is
  // full, the exchange is answered with 503 at once. The work must own all it needs: the request's
  // bytes are the connection's, but stay valid until the answer.
  void run(Exchange& exchange, Work work);

 private:
  struct Task {
    Exchange* exchange;
    Work work;
  };
  void work();

  BackgroundOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::http
