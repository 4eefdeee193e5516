#include "serve/shadows.h"

#include <semaphore>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "base/log.h"

namespace weir::serve {
namespace {

// The thread runs only when nothing else wants the core. Without the right to do so it stays an
// ordinary thread: slower for the others, never wrong.
void lower_priority() {
  const sched_param parameters{};
  if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &parameters) != 0) {
    setpriority(PRIO_PROCESS, 0, 19);
  }
  pthread_setname_np(pthread_self(), "weir-shadow");
}

std::uint64_t bytes_of(const tensor::Tensor& tensor) {
  return tensor.raw().size();
}

}  // namespace

// One request as one shadow sees it.
struct Shadows::Job final : public model::Inference {
  std::shared_ptr<const RouteTable> table;  // Keeps route and lane alive.
  const EndpointRoute* route = nullptr;
  const Lane* lane = nullptr;
  std::string id;
  Moment time = 0;
  Moment arrived = 0;
  std::optional<std::uint64_t> key_hash;
  std::uint32_t primary_version = 0;
  std::int64_t primary_run_ns = 0;
  std::int64_t queued_ns = 0;
  std::vector<RowAnswer> primary_answers;
  std::vector<RowAnswer> answers;
  std::vector<std::string> metadata;
  std::uint64_t bytes = 0;
  std::binary_semaphore completed{0};

  void complete() override { completed.release(); }
};

Shadows::Shadows(const ShadowOptions& options, Recorder& recorder, Comparison& comparison)
    : options_(options), recorder_(recorder), comparison_(comparison) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

Shadows::~Shadows() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<Shadows::Job> Shadows::take_spare() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return std::make_unique<Job>();
  std::unique_ptr<Job> job = std::move(spare_.back());
  spare_.pop_back();
  return job;
}

// By name: the shadow may list its inputs in another order. False when it lacks one.
bool Shadows::copy_inputs(const Call& call, const Version& shadow, Job& job) const {
  const model::Signature& from = call.lane->version->signature();
  const model::Signature& to = shadow.signature();
  job.inputs.resize(to.inputs.size());
  job.bytes = 0;
  for (std::size_t i = 0; i < to.inputs.size(); ++i) {
    const auto source = from.input_index(to.inputs[i].name);
    if (!source) return false;
    job.inputs[i] = call.inputs[*source];
    job.bytes += bytes_of(job.inputs[i]);
  }
  return true;
}

void Shadows::offer(const Call& call) {
  for (const Lane& lane : call.route->shadows) {
    offered_.fetch_add(1, std::memory_order_relaxed);
    std::unique_ptr<Job> job = take_spare();
    job->table = call.table;
    job->route = call.route;
    job->lane = &lane;
    job->rows = call.rows;
    job->id.assign(call.id);
    job->arrived = call.arrived;
    job->time = call.request.time.value_or(call.arrived);
    job->key_hash = call.key_hash;
    job->primary_version = call.lane->version->number();
    job->primary_run_ns = call.run_ns;
    job->primary_answers = call.answers;
    job->metadata.clear();
    for (const std::string& name : lane.version->layout().metadata()) {
      job->metadata.emplace_back(call.metadata(name));
    }
    bool fits = copy_inputs(call, *lane.version, *job);
    if (fits) {
      job->queued_ns = monotonic_ns();
      const std::lock_guard lock(mutex_);
      fits = queue_.size() < options_.queue_max_requests &&
             queued_bytes_ + job->bytes <= options_.queue_max_bytes && !is_stopping_;
      if (fits) {
        queued_bytes_ += job->bytes;
        queue_.push_back(std::move(job));
      }
    }
    if (fits) {
      wake_.notify_one();
    } else {
      count_drop(call.route->name);
    }
  }
}

void Shadows::drop(const Call& call) {
  for (std::size_t i = 0; i < call.route->shadows.size(); ++i) {
    offered_.fetch_add(1, std::memory_order_relaxed);
    count_drop(call.route->name);
  }
}

void Shadows::count_drop(const std::string& endpoint) {
  dropped_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  ++drops_[endpoint];
}

void Shadows::run() {
  lower_priority();
  constexpr std::size_t max_spare = 256;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return is_stopping_ || !queue_.empty(); });
    if (is_stopping_) return;
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= job->bytes;
    ++busy_;
    lock.unlock();
    answer(*job);
    job->table.reset();
    lock.lock();
    --busy_;
    if (spare_.size() < max_spare) spare_.push_back(std::move(job));
    if (queue_.empty() && busy_ == 0) idle_.notify_all();
  }
}

void Shadows::answer(Job& job) {
  const Version& version = *job.lane->version;
  const std::int64_t started_ns = monotonic_ns();
  job.status = {};
  if (!version.enter()) {
    count_drop(job.route->name);
    return;
  }
  if (version.infer_here(job) == model::Progress::pending) job.completed.acquire();
  version.leave();
  const bool is_ok = job.status.has_value();
  (is_ok ? answered_ : failed_).fetch_add(1, std::memory_order_relaxed);
  (is_ok ? job.lane->requests_ok : job.lane->requests_failed)->add();
  job.lane->rows->add(job.rows);
  job.lane->latency->observe(job.run_ns);
  job.answers.clear();
  if (is_ok) read_answers(version.signature(), job.outputs, job.rows, job.answers);

  std::vector<std::string_view> metadata(job.metadata.begin(), job.metadata.end());
  RecordRequest record;
  record.version = job.lane->version;
  record.rows = job.rows;
  record.inputs = job.inputs;
  if (is_ok) record.outputs = job.outputs;
  record.answers = job.answers;
  record.metadata = metadata;
  record.head.id = job.id;
  record.head.time = job.time;
  record.head.recorded_at = job.arrived;
  record.head.version = version.number();
  record.head.arm = rollout::to_string(rollout::Arm::shadow);
  record.head.stage = job.route->stage;
  record.head.rollout = job.route->rollout;
  record.head.reason = "shadow";
  record.head.propensity = 1;
  record.head.key_hash = job.key_hash;
  record.head.is_error = !is_ok;
  if (!is_ok) record.head.error = to_string(job.status.error().code);
  record.head.latency_us = static_cast<double>(job.run_ns) / 1e3;
  record.head.queue_us = static_cast<double>(started_ns - job.queued_ns) / 1e3;
  record.head.run_us = static_cast<double>(job.run_ns) / 1e3;
  recorder_.record(record);

  comparison_.add(
      {job.route->name, job.primary_version, version.number()},
      {job.primary_answers, job.primary_run_ns, true},
      {job.answers, job.run_ns, is_ok}
  );
}

void Shadows::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return queue_.empty() && busy_ == 0; });
}

ShadowCounts Shadows::counts() const {
  const std::lock_guard lock(mutex_);
  return {
      .offered = offered_.load(std::memory_order_relaxed),
      .answered = answered_.load(std::memory_order_relaxed),
      .failed = failed_.load(std::memory_order_relaxed),
      .dropped = dropped_.load(std::memory_order_relaxed),
      .queued = queue_.size(),
  };
}

std::uint64_t Shadows::dropped(std::string_view endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto found = drops_.find(endpoint);
  return found == drops_.end() ? 0 : found->second;
}

}  // namespace weir::serve
