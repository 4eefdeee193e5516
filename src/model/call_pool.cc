#include "model/call_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include <pthread.h>

namespace weir::model {

Result<std::unique_ptr<CallPool>> CallPool::start(const CallPoolOptions& options, Handler handler) {
  std::unique_ptr<CallPool> pool(new CallPool(options, std::move(handler)));
  TRY(pool->start_threads());
  return pool;
}

Result<void> CallPool::start_threads() {
  try {
    for (int i = 0; i < options_.threads; ++i) {
      threads_.emplace_back([this, number = static_cast<std::size_t>(i)] { run(number); });
      const std::string name = fmt::format("call-{}", i);
      ::pthread_setname_np(threads_.back().native_handle(), name.c_str());
    }
    threads_.emplace_back([this] { watch(); });
    ::pthread_setname_np(threads_.back().native_handle(), "call-deadlines");
  } catch (const std::system_error& error) {
    return fail(
        Code::exhausted,
        "cannot start {} threads for {}: {}",
        options_.threads,
        options_.name,
        error.what()
    );
  }
  return {};
}

CallPool::~CallPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  deadline_changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Progress CallPool::submit(Inference& inference) {
  bool is_first_deadline = false;
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
    // An idle thread takes it at once, and nobody has to watch it.
    is_first_deadline =
        idle_ < waiting_.size() && inference.deadline != 0 && inference.deadline < next_deadline_;
    if (is_first_deadline) next_deadline_ = inference.deadline;
  }
  changed_.notify_one();
  if (is_first_deadline) deadline_changed_.notify_one();
  return Progress::pending;
}

void CallPool::run(std::size_t thread) {
  while (true) {
    Inference* inference = nullptr;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      inference = waiting_.front();
      waiting_.pop_front();
    }
    if (inference->deadline != 0 && now_us() >= inference->deadline) {
      end_late(*inference);
    } else {
      handler_(thread, *inference);
    }
  }
}

void CallPool::watch() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (next_deadline_ == never) {
      deadline_changed_.wait(lock);
    } else {
      const std::chrono::microseconds left(std::max<Moment>(next_deadline_ - now_us(), 0));
      deadline_changed_.wait_for(lock, left);
    }
    if (next_deadline_ > now_us()) continue;
    const std::vector<Inference*> late = take_late(now_us());
    lock.unlock();
    for (Inference* inference : late) end_late(*inference);
    lock.lock();
  }
}

// Takes what is late out of the queue and notes the next deadline. Requires: the lock is held.
std::vector<Inference*> CallPool::take_late(Moment now) {
  std::vector<Inference*> late;
  next_deadline_ = never;
  std::erase_if(waiting_, [&](Inference* inference) {
    const Moment deadline = inference->deadline;
    if (deadline == 0) return false;
    if (deadline > now) {
      next_deadline_ = std::min(next_deadline_, deadline);
      return false;
    }
    late.push_back(inference);
    return true;
  });
  return late;
}

void CallPool::end_late(Inference& inference) const {
  inference.status =
      fail(Code::deadline, "the request's timeout passed while it waited for {}", options_.name);
  inference.complete();
}

}  // namespace weir::model
