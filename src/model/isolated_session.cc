#include "model/isolated_session.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "model/call_pool.h"
#include "model/model_process.h"

namespace weir::model {
namespace {

using std::chrono::microseconds;

std::size_t lane_count(const SessionOptions& options) {
  constexpr int most = 64;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return static_cast<std::size_t>(
      std::clamp(options.isolated_threads > 0 ? options.isolated_threads : cores, 1, most)
  );
}

// A descriptor that can be read from the moment it is set.
class Event {
 public:
  static Result<std::unique_ptr<Event>> make() {
    const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) return tl::unexpected(system_error("make", "an event"));
    return std::unique_ptr<Event>(new Event(descriptor));
  }
  ~Event() { ::close(descriptor_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  int descriptor() const { return descriptor_; }
  void set() const {
    const std::uint64_t one = 1;
    const ssize_t written = ::write(descriptor_, &one, sizeof one);
    static_cast<void>(written);  // It is set already when this fails.
  }
  // Whether it was set within that time.
  bool wait(std::int64_t us) const {
    pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>((us + 999) / 1000)) > 0;
  }

 private:
  explicit Event(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

class IsolatedSession final : public Session {
 public:
  IsolatedSession(
      std::string path,
      const SessionOptions& options,
      std::unique_ptr<Event> stop,
      std::shared_ptr<ModelProcess> process
  )
      : path_(std::move(path)),
        name_(std::filesystem::path(path_).filename()),
        options_(options),
        stop_(std::move(stop)),
        signature_(process->signature()),
        signature_bytes_(process->signature_bytes()),
        messages_(lane_count(options)),
        process_(std::move(process)) {}

  ~IsolatedSession() override {
    stop_->set();
    if (supervisor_.joinable()) supervisor_.join();
    pool_.reset();
  }

  Result<void> start() {
    const CallPoolOptions pool_options{
        .name = fmt::format("the process of '{}'", name_),
        .threads = static_cast<int>(messages_.size()),
        .queue = options_.isolated_queue,
    };
    pool_ = TRY(CallPool::start(pool_options, [this](std::size_t lane, Inference& inference) {
      call(lane, inference);
    }));
    try {
      supervisor_ = std::thread([this] { supervise(); });
    } catch (const std::system_error& error) {
      return fail(Code::exhausted, "cannot start a thread for '{}': {}", path_, error.what());
    }
    return {};
  }

  const Signature& signature() const override { return signature_; }
  Progress infer(Inference& inference) override { return pool_->submit(inference); }
  bool is_inline() const override { return false; }
  std::size_t memory_bytes() const override {
    const std::lock_guard lock(mutex_);
    return process_ ? resident_bytes(process_->pid()) : 0;
  }

 private:
  void call(std::size_t lane, Inference& inference);
  void exchange(const std::shared_ptr<ModelProcess>& process, std::size_t lane, Inference& call);
  Result<void> read_answer(MessageKind kind, Message& message, Inference& inference) const;
  Result<std::shared_ptr<ModelProcess>> running(Moment deadline);
  Error cause_of_end(const std::shared_ptr<ModelProcess>& process, const Error& seen);

  void supervise();
  void note_end(const std::shared_ptr<ModelProcess>& process);
  bool restart();

  std::string path_;
  std::string name_;  // Of its file, for messages.
  SessionOptions options_;
  std::unique_ptr<Event> stop_;
  Signature signature_;
  std::string signature_bytes_;
  std::vector<Message> messages_;  // One for each lane.

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<ModelProcess> process_;  // None between an end and the next start…
  bool is_pausing_ = false;                // …which is not soon.
  bool is_stopping_ = false;
  std::string trouble_;  // How the last process ended, or why there is no other.
  int ended_pid_ = 0;    // The last process of which that is known.

  std::unique_ptr<CallPool> pool_;
  std::thread supervisor_;
};

// The process, when there is one before the deadline. Nobody waits out a long pause: a process that
// keeps dying would collect all calls.
Result<std::shared_ptr<ModelProcess>> IsolatedSession::running(Moment deadline) {
  std::int64_t wait_us = options_.isolated_load_us;
  if (deadline != 0) wait_us = std::min(wait_us, std::max<std::int64_t>(deadline - now_us(), 0));
  std::unique_lock lock(mutex_);
  const bool is_settled = changed_.wait_for(lock, microseconds(wait_us), [this] {
    return process_ != nullptr || is_pausing_ || is_stopping_;
  });
  if (process_) return process_;
  if (!is_settled) {
    return fail(Code::deadline, "the process of '{}' was not back in time; {}", name_, trouble_);
  }
  return fail(Code::unavailable, "the process of '{}' is away for a while; {}", name_, trouble_);
}

void IsolatedSession::call(std::size_t lane, Inference& inference) {
  const auto process = running(inference.deadline);
  if (!process) {
    inference.status = tl::unexpected(process.error());
    inference.complete();
    return;
  }
  exchange(*process, lane, inference);
}

// One call on one lane. When its deadline comes first the call is told so, and the lane waits on by
// itself, because the thread at its other end is still inside the model.
void IsolatedSession::exchange(
    const std::shared_ptr<ModelProcess>& process, std::size_t lane, Inference& inference
) {
  Message& message = messages_[lane];
  message.clear();
  message.put(inference.rows);
  message.put(static_cast<std::uint64_t>(inference.deadline));
  message.put(inference.inputs);
  const MessageLimits limits{
      options_.isolated_message_bytes, monotonic_ns() + options_.isolated_run_us * 1000};
  const auto finish = [&](Result<void> status) {
    inference.status = std::move(status);
    inference.complete();
  };
  const int socket = process->lane(lane);
  const auto sent = send_message(socket, MessageKind::infer, message, limits);
  if (!sent && sent.error().code == Code::exhausted) return finish(sent);
  bool is_late = false;
  if (sent && inference.deadline != 0) {
    MessageLimits until = limits;
    const std::int64_t left_ns = std::max<std::int64_t>(inference.deadline - now_us(), 0) * 1000;
    until.deadline_ns = std::min(limits.deadline_ns, monotonic_ns() + left_ns);
    const auto arrived = wait_for_message(socket, until);
    is_late = !arrived && until.deadline_ns < limits.deadline_ns;
    if (is_late) {
      finish(fail(Code::deadline, "the request's timeout passed while the model was running"));
    }
  }
  auto kind = sent ? receive_message(socket, message, limits)
                   : Result<MessageKind>(tl::unexpected(sent.error()));
  auto status = kind ? Result<void>() : Result<void>(tl::unexpected(kind.error()));
  if (kind && !is_late) status = read_answer(*kind, message, inference);
  const bool is_broken = !kind || (!status && status.error().code == Code::corrupt);
  if (is_broken) status = tl::unexpected(cause_of_end(process, status.error()));
  if (!is_late) finish(std::move(status));
}

Result<void> IsolatedSession::read_answer(MessageKind kind, Message& message, Inference& inference)
    const {
  if (kind == MessageKind::failed) return tl::unexpected(TRY(message.take_error()));
  if (kind != MessageKind::answer) return fail(Code::corrupt, "a model's process talks nonsense");
  inference.run_ns = static_cast<std::int64_t>(TRY(message.take_number()));
  TRY(message.take_tensors(inference.outputs));
  if (inference.outputs.size() == signature_.outputs.size()) return {};
  return fail(Code::corrupt, "a model's process gives {} outputs", inference.outputs.size());
}

// A lane broke. The process is dead or of no more use; in any case it ends, and what is said is
// how.
Error IsolatedSession::cause_of_end(
    const std::shared_ptr<ModelProcess>& process, const Error& seen
) {
  constexpr microseconds patience(10 * us_per_second);
  std::unique_lock lock(mutex_);
  if (process_ == process) process->stop();
  changed_.wait_for(lock, patience, [&] { return ended_pid_ == process->pid() || is_stopping_; });
  const std::string_view how = seen.code == Code::unavailable ? trouble_ : seen.message;
  return {
      Code::unavailable,
      fmt::format("the process of '{}' (pid {}) is gone: {}", name_, process->pid(), how)};
}

// The supervisor's life. It is the only one that starts processes and waits for their end.
void IsolatedSession::supervise() {
  std::int64_t pause_us = 0;
  while (true) {
    const std::int64_t started_ns = monotonic_ns();
    std::shared_ptr<ModelProcess> process;
    {
      const std::lock_guard lock(mutex_);
      process = process_;
    }
    if (process) {
      // Only `stop` and the end of the process are ever to be seen on its first socket.
      static_cast<void>(wait_for_message(process->socket(), {.stop = stop_->descriptor()}));
      note_end(process);
    }
    // After a life that was long enough the next one begins at once.
    const std::int64_t life_us = (monotonic_ns() - started_ns) / 1000;
    pause_us =
        process && life_us >= options_.isolated_last_pause_us
            ? 0
            : std::clamp(
                  pause_us * 2, options_.isolated_first_pause_us, options_.isolated_last_pause_us
              );
    {
      const std::lock_guard lock(mutex_);
      is_pausing_ = pause_us > options_.isolated_wait_us;
      changed_.notify_all();
    }
    if (stop_->wait(pause_us)) break;
    if (!restart()) LOG(error, "{}", trouble_);
    if (stop_->wait(0)) break;
  }
  std::shared_ptr<ModelProcess> process;
  const std::lock_guard lock(mutex_);
  is_stopping_ = true;
  process.swap(process_);
  if (process) process->stop();
  changed_.notify_all();
}

void IsolatedSession::note_end(const std::shared_ptr<ModelProcess>& process) {
  {
    const std::lock_guard lock(mutex_);
    process_.reset();
  }
  const std::string how = process->end();
  if (stop_->wait(0)) return;
  LOG(error, "the process of '{}' (pid {}) ended with {}", name_, process->pid(), how);
  const std::lock_guard lock(mutex_);
  trouble_ = fmt::format("it ended with {}", how);
  ended_pid_ = process->pid();
  changed_.notify_all();
}

bool IsolatedSession::restart() {
  {
    const std::lock_guard lock(mutex_);
    is_pausing_ = false;
  }
  auto process = ModelProcess::start(path_, options_, messages_.size(), stop_->descriptor());
  const std::lock_guard lock(mutex_);
  if (process && (*process)->signature_bytes() != signature_bytes_) {
    process = fail(Code::conflict, "'{}' has another signature than before", name_);
  }
  if (process) {
    process_ = *std::move(process);
    LOG(info, "the process of '{}' runs again (pid {})", name_, process_->pid());
  } else {
    trouble_ = process.error().message;
  }
  changed_.notify_all();
  return process_ != nullptr;
}

}  // namespace

Result<std::unique_ptr<Session>> load_isolated(
    const std::string& path, const SessionOptions& options
) {
  auto stop = TRY(Event::make());
  std::shared_ptr<ModelProcess> process =
      TRY(ModelProcess::start(path, options, lane_count(options), stop->descriptor()));
  auto session =
      std::make_unique<IsolatedSession>(path, options, std::move(stop), std::move(process));
  TRY(session->start());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace weir::model
