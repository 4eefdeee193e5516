#include "model/call_pool.h"

#include <system_error>

#include <pthread.h>

namespace weir::model {

Result<std::unique_ptr<CallPool>> CallPool::start(const CallPoolOptions& options, Handler handler) {
  std::unique_ptr<CallPool> pool(new CallPool(options, std::move(handler)));
  for (int i = 0; i < options.threads; ++i) {
    try {
      const auto number = static_cast<std::size_t>(i);
      pool->threads_.emplace_back([pool = pool.get(), number] { pool->run(number); });
    } catch (const std::system_error& error) {
      return fail(
          Code::exhausted,
          "cannot start {} threads for {}: {}",
          options.threads,
          options.name,
          error.what()
      );
    }
    const std::string name = fmt::format("call-{}", i);
    ::pthread_setname_np(pool->threads_.back().native_handle(), name.c_str());
  }
  return pool;
}

CallPool::~CallPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Progress CallPool::submit(Inference& inference) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= options_.queue) {
      inference.status = fail(
          Code::exhausted,
          "{} calls wait for {} already, the most that may",
          waiting_.size(),
          options_.name
      );
      return Progress::done;
    }
    waiting_.push_back(&inference);
  }
  changed_.notify_one();
  return Progress::pending;
}

void CallPool::run(std::size_t thread) {
  while (true) {
    Inference* inference = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      inference = waiting_.front();
      waiting_.pop_front();
    }
    if (inference->deadline != 0 && now_us() >= inference->deadline) {
      inference->status = fail(
          Code::deadline, "the request's timeout passed while it waited for {}", options_.name
      );
      inference->complete();
    } else {
      handler_(thread, *inference);
    }
  }
}

}  // namespace weir::model
