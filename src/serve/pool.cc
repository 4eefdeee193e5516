#include "serve/pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "serve/batch.h"
#include "serve/version.h"

namespace weir::serve {

using model::Inference;
using model::Progress;

namespace {

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(CPU_COUNT(&set), 1);
}

// Whoever decodes and answers goes first: that takes microseconds, and a run takes milliseconds.
void give_way() {
  // Of this thread only, as Linux has it.
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + 10);
  ::prctl(PR_SET_TIMERSLACK, 1000UL);  // Waits of a batch are far shorter than the usual 50 µs.
  ::pthread_setname_np(::pthread_self(), "weir-pool");
}

}  // namespace

Pool::Pool(const PoolOptions& options) : options_(options) {
  if (options_.threads <= 0) options_.threads = cores();
}

// At the first use: most servers have fast models only. Fewer than wanted will do.
void Pool::start_threads() {
  try {
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error& error) {
    LOG(error, "cannot start thread {} of the pool: {}", threads_.size() + 1, error.what());
  }
}

Pool::~Pool() {
  std::vector<Inference*> waiting;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    for (Queue* queue : queues_) {
      while (!queue->is_empty()) queue->take(false, waiting);
    }
    queues_.clear();
  }
  changed_.notify_all();
  for (Inference* inference : waiting) {
    inference->status = fail(Code::unavailable, "the server ends");
    inference->complete();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::size_t Pool::waiting(const Queue& queue) const {
  const std::lock_guard lock(mutex_);
  return queue.requests();
}

Progress Pool::submit(Queue& queue, Inference& inference) {
  const std::int64_t now_ns = monotonic_ns();
  const Version& version = queue.version();
  bool is_sooner = false;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t wait = wait_ns(queue, now_ns);
    inference.status = check_wait(queue, inference, wait);
    if (inference.status) inference.status = queue.check_room(inference);
    if (is_stopping_) inference.status = fail(Code::unavailable, "the server ends");
    if (threads_.empty() && inference.status) start_threads();
    if (threads_.empty() && inference.status) {
      inference.status = fail(Code::exhausted, "the system gives no thread for slow models");
    }
    if (!inference.status) {
      version.meter().refused.fetch_add(1, std::memory_order_relaxed);
      return Progress::done;
    }
    version.found_others(!queue.is_empty() || queue.running > 0);
    if (queue.is_empty()) queues_.push_back(&queue);
    queue.push(inference, now_ns);
    publish(queue, now_ns);
    const std::int64_t leave_ns = std::max(queue.leave_at_ns(), now_ns);
    is_sooner = idle_ > 0 && leave_ns < wake_ns_;
    if (is_sooner && leave_ns > now_ns) wake_ns_ = leave_ns;
  }
  if (is_sooner) changed_.notify_one();
  return Progress::pending;
}

bool Pool::withdraw(Queue& queue, Inference& inference) {
  const std::lock_guard lock(mutex_);
  if (!queue.remove(inference)) return false;
  if (queue.is_empty()) std::erase(queues_, &queue);
  publish(queue, monotonic_ns());
  return true;
}

// The runs of its own queue, as many of each other queue as take turns with them, and what is left
// of those under way, over the threads.
std::int64_t Pool::wait_ns(const Queue& queue, std::int64_t now_ns) const {
  const auto left_ns = [&](const Queue& other) {
    if (other.running == 0) return std::int64_t{0};
    return std::max<std::int64_t>(other.running_work_ns - (now_ns - other.running_since_ns), 0);
  };
  const auto own_runs = static_cast<std::int64_t>(queue.runs()) + 1;
  std::int64_t work = queue.work_ns() + left_ns(queue);
  for (const Queue* other : queues_) {
    if (other == &queue) continue;
    const auto runs = static_cast<std::int64_t>(std::max<std::size_t>(other->runs(), 1));
    const std::int64_t turns = std::min(own_runs, runs);
    work += other->work_ns() / runs * turns + left_ns(*other);
  }
  const int most = queue.options().max_running;
  const int threads = most > 0 ? std::min(most, options_.threads) : options_.threads;
  return static_cast<std::int64_t>(static_cast<double>(work) * queue.pace) / threads;
}

Result<void> Pool::check_wait(const Queue& queue, const Inference& inference, std::int64_t wait_ns)
    const {
  const Version& version = queue.version();
  if (wait_ns > queue.options().max_wait_us * 1000) {
    return fail(
        Code::exhausted,
        "model '{}' version {} would answer in {} ms only, and {} ms are allowed (queue_wait); try "
        "again later",
        version.endpoint(),
        version.number(),
        wait_ns / 1'000'000,
        queue.options().max_wait_us / 1000
    );
  }
  if (inference.deadline == 0) return {};
  const auto run_ns = static_cast<std::int64_t>(
      static_cast<double>(version.cost().expected_ns(inference.rows)) * queue.pace
  );
  const Moment now = now_us();
  if (now + (wait_ns + run_ns) / 1000 <= inference.deadline) return {};
  return fail(
      Code::exhausted,
      "model '{}' version {} would answer in {} ms, and the request's timeout is over in {} ms; "
      "try "
      "again later",
      version.endpoint(),
      version.number(),
      (wait_ns + run_ns) / 1'000'000,
      std::max<Moment>(inference.deadline - now, 0) / 1000
  );
}

void Pool::publish(const Queue& queue, std::int64_t now_ns) const {
  queue.version().publish_wait(wait_ns(queue, now_ns), queue.requests());
}

// The first queue whose time has come goes to the end of the list. Otherwise null, and when to look
// again.
Queue* Pool::pick(std::int64_t now_ns, std::int64_t& next_ns) {
  next_ns = INT64_MAX;
  for (auto place = queues_.begin(); place != queues_.end(); ++place) {
    Queue& queue = **place;
    const int most = queue.options().max_running;
    if (queue.running >= (most > 0 ? most : options_.threads)) continue;
    const std::int64_t leave_ns = queue.leave_at_ns();
    if (leave_ns > now_ns) {
      next_ns = std::min(next_ns, leave_ns);
      continue;
    }
    std::rotate(place, place + 1, queues_.end());
    return &queue;
  }
  return nullptr;
}

void Pool::run() {
  give_way();
  Batch memory;
  Turn turn;
  std::unique_lock lock(mutex_);
  while (true) {
    const std::int64_t now_ns = monotonic_ns();
    std::int64_t next_ns = INT64_MAX;
    Queue* queue = pick(now_ns, next_ns);
    if (queue == nullptr) {
      if (is_stopping_) return;
      sleep(lock, now_ns, next_ns);
      continue;
    }
    begin_turn(*queue, now_ns, turn);
    lock.unlock();
    if (!turn.batch.empty()) queue->version().run(turn.batch, memory);
    lock.lock();
    end_turn(*queue, turn);
    lock.unlock();
    give_back(queue->version(), turn);
    lock.lock();
  }
}

void Pool::sleep(std::unique_lock<std::mutex>& lock, std::int64_t now_ns, std::int64_t next_ns) {
  wake_ns_ = idle_ == 0 ? next_ns : std::min(wake_ns_, next_ns);
  ++idle_;
  if (next_ns == INT64_MAX) {
    changed_.wait(lock);
  } else {
    changed_.wait_for(lock, std::chrono::nanoseconds(next_ns - now_ns));
  }
  --idle_;
  wake_ns_ = INT64_MAX;
}

void Pool::begin_turn(Queue& queue, std::int64_t now_ns, Turn& turn) {
  const Version& version = queue.version();
  turn.batch.clear();
  turn.late.clear();
  turn.work_ns = 0;
  turn.began_ns = now_ns;
  queue.take_late(now_us(), turn.late);
  if (!queue.is_empty()) {
    queue.take(version.may_batch(), turn.batch);
    std::size_t rows = 0;
    for (const Inference* member : turn.batch) rows += member->rows;
    turn.work_ns = version.cost().expected_ns(rows);
    ++queue.running;
    queue.running_work_ns += turn.work_ns;
    queue.running_since_ns = now_ns;
  }
  if (queue.is_empty()) std::erase(queues_, &queue);
  publish(queue, now_ns);
  // What else is due may have come without waking anybody.
  if (!queues_.empty() && idle_ > 0) changed_.notify_one();
}

void Pool::end_turn(Queue& queue, const Turn& turn) {
  const std::int64_t now_ns = monotonic_ns();
  if (!turn.batch.empty()) {
    --queue.running;
    queue.running_work_ns -= turn.work_ns;
  }
  if (turn.work_ns > 0) {
    constexpr double weight = 1.0 / 16;
    const auto took_ns = static_cast<double>(now_ns - turn.began_ns);
    const double pace = std::clamp(took_ns / static_cast<double>(turn.work_ns), 0.1, 100.0);
    queue.pace += (pace - queue.pace) * weight;
  }
  publish(queue, now_ns);
}

// Nothing keeps the version but the requests themselves: after the last one it may be gone.
void Pool::give_back(const Version& version, const Turn& turn) {
  for (Inference* member : turn.late) {
    version.meter().late.fetch_add(1, std::memory_order_relaxed);
    member->status = fail(
        Code::deadline,
        "the request's timeout passed while it waited for model '{}'",
        version.endpoint()
    );
    member->complete();
  }
  for (Inference* member : turn.batch) member->complete();
}

}  // namespace weir::serve
