#include "serve/version.h"

#include <algorithm>

#include "base/log.h"
#include "serve/batch.h"
#include "serve/crash_note.h"

namespace weir::serve {

using model::Inference;
using model::Progress;
using Mode = BatchingOptions::Mode;

namespace {

// Reading a thread's CPU clock is a system call: of inline runs one in so many is measured.
constexpr std::uint32_t sample_every = 16;

// A run of so many times the rows that were ever measured is measured before it may be inline.
constexpr std::size_t far_beyond = 8;

}  // namespace

Version::Version(
    VersionIdentity identity,
    std::unique_ptr<model::Session> session,
    const VersionLimits& limits,
    const std::vector<std::string>& endpoint_features,
    const std::vector<std::string>& metadata,
    Pool* pool
)
    : identity_(std::move(identity)),
      number_text_(fmt::format("{}", identity_.number)),
      session_(std::move(session)),
      limits_(limits),
      layout_(session_->signature(), endpoint_features, metadata),
      pool_(pool),
      may_batch_(limits.batching.mode != Mode::off && session_->signature().has_row_axis),
      queue_(*this, cost_, limits_.queue, limits_.batching) {
  if (pool_ == nullptr) return;
  if (limits_.batching.mode != Mode::off && !may_batch()) {
    LOG(warning,
        "model '{}' version {} has no axis of rows, so its requests are not batched",
        endpoint(),
        number());
  }
  if (session_->is_inline()) time_made_up_row();
}

void Version::time_made_up_row() const {
  Batch inference;
  model::make_up_row(signature(), inference.inputs);
  // A model may refuse that; then its first request is measured in the pool.
  run_session(inference, Measured::always);
}

bool Version::is_overloaded(std::int64_t left_us) const {
  if (queued() == 0) return false;
  if (queued() >= limits_.queue.max_requests) return true;
  const std::int64_t wait_us = wait_ns_.load(std::memory_order_relaxed) / 1000;
  return wait_us > limits_.queue.max_wait_us || (left_us != 0 && wait_us > left_us);
}

bool Version::is_half_full() const {
  if (queued() == 0) return false;
  const std::int64_t wait_us = wait_ns_.load(std::memory_order_relaxed) / 1000;
  return queued() * 2 > limits_.queue.max_requests || wait_us * 2 > limits_.queue.max_wait_us;
}

bool Version::batching_pays() const {
  if (!may_batch()) return false;
  if (limits_.batching.mode == Mode::fixed) return true;
  const auto least_ns = static_cast<double>(limits_.batching.min_fixed_us) * 1000;
  if (cost_.fixed_ns() < least_ns) return false;
  const bool before = gathers_.load(std::memory_order_relaxed);
  const bool pays = overlap_.value() > (before ? 0.25F : 0.5F);
  if (pays != before) gathers_.store(pays, std::memory_order_relaxed);
  return pays;
}

bool Version::wants_pool(const Inference& inference) const {
  if (pool_ == nullptr) return false;
  if (batching_pays()) return true;
  if (!session_->is_inline()) return false;
  const std::size_t largest = largest_rows_.load(std::memory_order_relaxed);
  if (inference.rows > largest * far_beyond) return true;
  const bool before = is_slow_.load(std::memory_order_relaxed);
  const std::int64_t limit_ns = before ? pool_->slow_ns() / 2 : pool_->slow_ns();
  const bool is_slow = cost_.expected_ns(inference.rows) > limit_ns;
  if (is_slow != before) is_slow_.store(is_slow, std::memory_order_relaxed);
  return is_slow;
}

Progress Version::infer(Inference& inference) const {
  if (wants_pool(inference)) return pool_->submit(queue_, inference);
  if (limits_.batching.mode != Mode::learn) return run_session(inference, Measured::sampled);
  const std::int64_t last_end_ns = last_end_ns_.load(std::memory_order_relaxed);
  found_others(inference.ready_ns < last_end_ns || in_flight() > 1);
  const Progress progress = run_session(inference, Measured::sampled);
  last_end_ns_.store(monotonic_ns(), std::memory_order_relaxed);
  return progress;
}

bool Version::withdraw(Inference& inference) const {
  return pool_ != nullptr && pool_->withdraw(queue_, inference);
}

Progress Version::infer_here(Inference& inference) const {
  return run_session(inference, Measured::always);
}

Progress Version::run_session(Inference& inference, Measured measured) const {
  const RunningVersion note(*this);
  // A pending one may be gone when the session returns.
  const std::size_t rows = inference.rows;
  inference.batch_rows = rows;
  const std::uint32_t run = runs_.load(std::memory_order_relaxed);
  runs_.store(run + 1, std::memory_order_relaxed);
  const bool is_first = rows > largest_rows_.load(std::memory_order_relaxed);
  const bool is_sampled = measured == Measured::sampled && run % sample_every == 0;
  if (!is_first && !is_sampled && measured == Measured::sampled) return session_->infer(inference);

  const std::int64_t begin_ns = thread_cpu_ns();
  const Progress progress = session_->infer(inference);
  const std::int64_t cpu_ns = thread_cpu_ns() - begin_ns;
  meter_.cpu_ns.fetch_add(
      static_cast<std::uint64_t>(cpu_ns) * (is_sampled ? sample_every : 1),
      std::memory_order_relaxed
  );
  if (progress == Progress::pending || !inference.status) return progress;
  // Only one that runs on this thread is measured by the thread's clock; it does not count what
  // others take from the core meanwhile.
  cost_.add(rows, session_->runs_on_caller() ? cpu_ns : inference.run_ns);
  if (is_first) largest_rows_.store(rows, std::memory_order_relaxed);
  return progress;
}

void Version::run(std::span<Inference* const> members, Batch& memory) const {
  if (members.size() > 1 || !session_->is_inline()) {
    run_batch(members, memory);
  } else {
    run_session(*members.front(), Measured::always);
  }
}

void Version::run_batch(std::span<Inference* const> members, Batch& memory) const {
  memory.gather(members);
  if (run_session(memory, Measured::always) == Progress::pending) {
    memory.wait();
    if (memory.status) cost_.add(memory.rows, memory.run_ns);
  }
  if (memory.status && memory.scatter(members)) return;
  if (memory.status) {
    LOG(warning,
        "model '{}' version {} does not answer row by row, so its requests are not batched",
        endpoint(),
        number());
    may_batch_.store(false, std::memory_order_relaxed);
  }
  const bool is_by_content = memory.status ||
                             memory.status.error().code == Code::invalid_argument ||
                             memory.status.error().code == Code::internal;
  for (Inference* member : members) {
    if (members.size() == 1 || !is_by_content) {
      member->status = memory.status;
      member->run_ns = memory.run_ns;
      continue;
    }
    std::array<Inference*, 1> alone = {member};
    run(alone, memory);
  }
}

}  // namespace weir::serve
