#include "table/watchdog.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

namespace weir::table {
namespace {

// How often the parent is looked for. While nothing is watched the main thread itself reads the
// socket and sees its end at once; this is for a parent whose end somebody else holds open.
constexpr std::int64_t look_every_ns = 100'000'000;
constexpr std::int64_t look_every_idle_ns = 5'000'000'000;
// A statement may begin just after an interrupt and not see it, so there are several.
constexpr std::int64_t interrupt_every_ns = 20'000'000;

}  // namespace

Watchdog::Watchdog(int socket)
    : socket_(socket), parent_(::getppid()), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::watch(std::int64_t deadline_ns, std::function<void()> interrupt) {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!interrupt_, "one request is watched at a time");
    interrupt_ = std::move(interrupt);
    deadline_ns_ = deadline_ns;
    is_late_ = false;
  }
  changed_.notify_one();
}

void Watchdog::release() {
  const std::lock_guard lock(mutex_);
  interrupt_ = nullptr;
}

bool Watchdog::is_late() const {
  const std::lock_guard lock(mutex_);
  return is_late_;
}

void Watchdog::exit_without_parent() const {
  pollfd descriptor{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  const bool is_closed =
      ::poll(&descriptor, 1, 0) > 0 && (descriptor.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  // Nobody waits for the result any more, and nothing here needs an orderly end.
  if (is_closed || ::getppid() != parent_) ::_exit(0);
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    exit_without_parent();
    std::int64_t wait_ns = look_every_idle_ns;
    if (interrupt_) {
      const std::int64_t left_ns = deadline_ns_ - monotonic_ns();
      if (left_ns <= 0) {
        is_late_ = true;
        interrupt_();
      }
      wait_ns = left_ns <= 0 ? interrupt_every_ns : std::min(left_ns, look_every_ns);
    }
    changed_.wait_for(lock, std::chrono::nanoseconds(wait_ns));
  }
}

}  // namespace weir::table
