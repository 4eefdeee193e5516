#pragma once

#include <functional>

#include "base/work_queue.h"
#include "http/server.h"

namespace weir::http {

// Puts requests that take long on a queue and their answers back on their loops. Thread-safe.
class Background {
 public:
  // What is to be sent when the work is done; called on the loop of the exchange.
  using Answer = std::function<void(Exchange&)>;
  using Work = std::function<Answer()>;

  // The queue outlives it.
  explicit Background(WorkQueue& queue) : queue_(queue) {}

  // Runs the work on a thread of the queue and the answer on the exchange's loop. When the queue is
  // full, the exchange is answered with 503 at once. The work must own all it needs: the request's
  // bytes are the connection's, but stay valid until the answer.
  void run(Exchange& exchange, Work work);

 private:
  WorkQueue& queue_;
};

}  // namespace weir::http
