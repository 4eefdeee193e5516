#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace weir::batch {

// Hands values from some threads to others and holds few of them: whoever is faster waits.
// Thread-safe.
template <class T>
class Queue {
 public:
  explicit Queue(std::size_t max_size) : max_size_(max_size) {}

  // Waits for room; false when the queue is closed.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_closed_ || values_.size() < max_size_; });
    if (is_closed_) return false;
    values_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  // Waits for a value; nothing when the queue is closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    changed_.notify_all();
    return value;
  }
  // Nothing more comes; what is there is still taken, unless it is thrown away.
  enum class Rest { keep, drop };
  void close(Rest rest = Rest::keep) {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (rest == Rest::drop) values_.clear();
    changed_.notify_all();
  }

 private:
  const std::size_t max_size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
  bool is_closed_ = false;
};

}  // namespace weir::batch
