#include "http/background.h"

#include "http/respond.h"

namespace weir::http {

Background::Background(const BackgroundOptions& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Background::run(Exchange& exchange, Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < options_.queue_max && !is_stopping_) {
      queue_.push_back({&exchange, std::move(work)});
      wake_.notify_one();
      return;
    }
  }
  respond_error(
      exchange, {Code::exhausted, "too many slow control requests are waiting; try again later"}
  );
}

void Background::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return is_stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Answer answer = task.work();
    Exchange* exchange = task.exchange;
    exchange->loop().post([exchange, answer = std::move(answer)] { answer(*exchange); });
    lock.lock();
  }
}

}  // namespace weir::http
