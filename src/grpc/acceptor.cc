#include "grpc/acceptor.h"

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "grpc/engine.h"

namespace weir::grpc {
namespace {

constexpr int max_accepts = 64;  // In a turn.
constexpr int pause_ms = 100;    // Without room for a connection.
constexpr std::int64_t warning_interval_ns = 10'000'000'000;

void set_event(int descriptor) {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(descriptor, &one, sizeof(one));
  static_cast<void>(written);  // The event is already set when this fails.
}

void watch(int epoll, int operation, int descriptor, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  ::epoll_ctl(epoll, operation, descriptor, &event);
}

// Closing alone does not end it: others may have the same socket.
void unwatch(int epoll, int descriptor) {
  if (descriptor >= 0) ::epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nullptr);
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::create(
    http::Listener listener, std::size_t max_connections
) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(std::move(listener), max_connections));
  if (acceptor->epoll_ < 0 || acceptor->wake_ < 0 || acceptor->left_ < 0) {
    return tl::unexpected(system_error("make", "an event"));
  }
  return acceptor;
}

Acceptor::Acceptor(http::Listener listener, std::size_t max_connections)
    : max_connections_(max_connections),
      port_(listener.port()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      left_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(std::move(listener)) {}

Acceptor::~Acceptor() {
  stop();
  for (const auto& [descriptor, phase] : connections_) ::close(descriptor);
  for (const int descriptor : {epoll_, wake_, left_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void Acceptor::run(Engine& engine) {
  engine_ = &engine;
  watch(epoll_, EPOLL_CTL_ADD, wake_, EPOLLIN);
  watch(epoll_, EPOLL_CTL_ADD, listener_.descriptor(), EPOLLIN);
  thread_ = std::thread([this] { work(); });
}

void Acceptor::leave(Engine& engine) {
  const std::lock_guard lock(mutex_);
  if (engine_ == nullptr) return;
  engine_ = &engine;
  phase_ = Phase::leaving;
  if (open(Phase::usual) == 0) set_event(left_);
}

void Acceptor::close() {
  const std::lock_guard lock(mutex_);
  engine_ = nullptr;
  unwatch(epoll_, listener_.descriptor());
  listener_.close();
}

void Acceptor::wait_for_last(std::int64_t until_ns) {
  std::unique_lock lock(mutex_);
  forgotten_.wait_for(lock, std::chrono::nanoseconds(until_ns - monotonic_ns()), [this] {
    return open(Phase::leaving) == 0;
  });
}

void Acceptor::stop() {
  close();
  is_stopping_ = true;
  set_event(wake_);
  if (thread_.joinable()) thread_.join();
}

void Acceptor::work() {
  pthread_setname_np(pthread_self(), "grpc-accept");
  std::array<epoll_event, max_accepts> events{};
  while (!is_stopping_) {
    const int count = ::epoll_wait(
        epoll_, events.data(), static_cast<int>(events.size()), is_paused_ ? pause_ms : -1
    );
    if (is_paused_) go_on();
    bool is_asked = false;
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (connections_.contains(descriptor)) {
        forget(descriptor);
      } else {
        is_asked = is_asked || descriptor != wake_;
      }
    }
    if (is_asked) accept_all();
  }
}

void Acceptor::accept_all() {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < max_accepts && engine_ != nullptr && accept_one(); ++i) {
  }
}

bool Acceptor::accept_one() {
  const int socket =
      ::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    take(socket);
    return true;
  }
  const int reason = errno;
  if (reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM) pause(reason);
  return reason == ECONNABORTED || reason == EINTR;
}

void Acceptor::take(int socket) {
  const int descriptor =
      connections_open() < max_connections_ ? ::fcntl(socket, F_DUPFD_CLOEXEC, 3) : -1;
  if (descriptor < 0) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    ::close(socket);
    return;
  }
  connections_.emplace(descriptor, phase_);
  open_[static_cast<std::size_t>(phase_)].fetch_add(1, std::memory_order_relaxed);
  engine_->take(socket);
  // The library shuts a connection down before it closes it, and that is an event for every
  // descriptor of the socket.
  watch(epoll_, EPOLL_CTL_ADD, descriptor, 0);
}

void Acceptor::forget(int descriptor) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(descriptor);
  const Phase phase = found->second;
  connections_.erase(found);
  unwatch(epoll_, descriptor);
  ::close(descriptor);
  open_[static_cast<std::size_t>(phase)].fetch_sub(1, std::memory_order_relaxed);
  if (phase_ == Phase::leaving && open(Phase::usual) == 0) set_event(left_);
  forgotten_.notify_all();
}

// The system has no file or memory for a connection just now; it would say so again and again.
void Acceptor::pause(int reason) {
  if (const std::int64_t now_ns = monotonic_ns(); now_ns >= next_warning_ns_) {
    LOG(warning,
        "no room for one more connection of gRPC: {}; they wait until there is (ulimit -n raises "
        "the limit of open files)",
        std::generic_category().message(reason));
    next_warning_ns_ = now_ns + warning_interval_ns;
  }
  watch(epoll_, EPOLL_CTL_MOD, listener_.descriptor(), 0);
  is_paused_ = true;
}

void Acceptor::go_on() {
  const std::lock_guard lock(mutex_);
  is_paused_ = false;
  if (engine_ != nullptr) watch(epoll_, EPOLL_CTL_MOD, listener_.descriptor(), EPOLLIN);
}

}  // namespace weir::grpc
