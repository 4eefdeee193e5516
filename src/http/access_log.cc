#include "http/access_log.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "http/respond.h"

namespace weir::http {
namespace {

constexpr int poll_ms = 100;
constexpr int last_polls = 10;
// A pipe that polls as writable takes this much without waiting (PIPE_BUF).
constexpr std::size_t max_write_bytes = 4096;
constexpr std::int64_t warning_interval_us = 10 * us_per_second;

Result<int> open_path(const std::string& path) {
  const int descriptor =
      path == "-" ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                  : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor >= 0) return descriptor;
  Error error = system_error("open the access log", path);
  error.message += "; access_log: {path: …} names another file, or '-' for standard error";
  return tl::unexpected(std::move(error));
}

void append_member(std::string& line, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  line += ",\"";
  line += name;
  line += "\":";
  append_json_string(line, value);
}

}  // namespace

void append_access_line(const AccessEntry& entry, std::int64_t time_us, std::string& line) {
  line += "{\"time\":";
  append_json_string(line, to_rfc3339(time_us));
  append_member(line, "peer", entry.peer);
  append_member(line, "method", entry.method);
  append_member(line, "path", entry.path);
  const std::string grpc_status =
      entry.grpc_status < 0 ? "" : fmt::format(",\"grpc_status\":{}", entry.grpc_status);
  fmt::format_to(
      std::back_inserter(line),
      ",\"status\":{}{},\"request_bytes\":{},\"answer_bytes\":{},\"duration_us\":{}",
      entry.status,
      grpc_status,
      entry.request_bytes,
      entry.answer_bytes,
      entry.duration_us
  );
  append_member(line, "id", entry.id);
  append_member(line, "traceparent", entry.traceparent);
  line += "}\n";
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const AccessLogOptions& options) {
  const int descriptor = TRY(open_path(options.path));
  std::unique_ptr<AccessLog> log(new AccessLog(options, descriptor));
  try {
    log->thread_ = std::thread([log = log.get()] { log->work(); });
  } catch (const std::system_error& error) {
    return fail(Code::unavailable, "cannot start a thread for the access log: {}", error.what());
  }
  return log;
}

AccessLog::AccessLog(const AccessLogOptions& options, int descriptor)
    : options_(options),
      chance_(static_cast<std::uint64_t>(
          std::llround(std::clamp(options.sample, 0.0, 1.0) * 4'294'967'296.0)
      )),
      descriptor_(descriptor) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (new_descriptor_ >= 0) ::close(new_descriptor_);
  ::close(descriptor_);
}

bool AccessLog::wants(int status) const {
  return status >= 400 || (random64() >> 32) < chance_;
}

void AccessLog::add(const AccessEntry& entry) {
  // A line is put together before the lock is taken.
  thread_local std::string line;
  line.clear();
  append_access_line(entry, now_us(), line);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (queued_.size() + line.size() > options_.queue_max_bytes) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    was_empty = queued_.empty();
    queued_ += line;
  }
  if (was_empty) wake_.notify_one();
}

Result<void> AccessLog::reopen() {
  const int descriptor = TRY(open_path(options_.path));
  int unused = -1;
  {
    const std::lock_guard lock(mutex_);
    unused = std::exchange(new_descriptor_, descriptor);
  }
  if (unused >= 0) ::close(unused);
  wake_.notify_one();
  return {};
}

void AccessLog::work() {
  pthread_setname_np(pthread_self(), "access-log");
  std::string lines;
  while (true) {
    bool is_last = false;
    int next = -1;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return is_stopping_ || !queued_.empty() || new_descriptor_ >= 0; });
      is_last = is_stopping_;
      lines.clear();
      lines.swap(queued_);
      next = std::exchange(new_descriptor_, -1);
    }
    if (next >= 0) {
      ::close(descriptor_);
      descriptor_ = next;
    }
    write(lines);
    if (is_last) return;
  }
}

void AccessLog::write(std::string_view lines) {
  while (!lines.empty()) {
    if (!has_room(descriptor_)) return lose(lines);
    const ssize_t count =
        ::write(descriptor_, lines.data(), std::min(lines.size(), max_write_bytes));
    if (count >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      if (now_us() >= next_warning_us_) {
        LOG(warning, "{}", system_error("write the access log", options_.path).message);
        next_warning_us_ = now_us() + warning_interval_us;
      }
      return lose(lines);
    }
  }
}

// False when the log ends and the file still takes nothing.
bool AccessLog::has_room(int descriptor) const {
  pollfd waiting{.fd = descriptor, .events = POLLOUT, .revents = 0};
  for (int polls = 0; polls < last_polls; polls += is_stopping_ ? 1 : 0) {
    if (::poll(&waiting, 1, poll_ms) > 0) return true;
  }
  return false;
}

void AccessLog::lose(std::string_view lines) {
  const auto count = static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
  dropped_.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace weir::http
