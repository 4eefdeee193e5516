#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <vector>

#include <sys/socket.h>

#include "base/result.h"
#include "http/arrivals.h"
#include "http/context.h"
#include "http/server.h"
#include "http/tls.h"

// One thread's event loop: epoll, the connections it has accepted, and the functions posted to it.

namespace weir::http {

// What the loops of one server share.
struct ServerShared {
  ServerShared(
      const ServerOptions& options_,
      Handler& handler_,
      int listener_,
      AccessLog* access_log_ = nullptr,
      Tls* tls_ = nullptr
  )
      : options(options_),
        handler(handler_),
        listener(listener_),
        access_log(access_log_),
        tls(tls_),
        budget(options_.max_buffered_bytes) {}

  const ServerOptions options;
  Handler& handler;
  const int listener;
  AccessLog* const access_log;
  Tls* const tls;
  MemoryBudget budget;
  std::atomic<std::size_t> connections_open = 0;
  std::atomic<std::size_t> refused_open = 0;
  // As accept4(2); a test lets it fail.
  int (*accept)(int listener, sockaddr* address, socklen_t* size, int flags) = ::accept4;
};

class SocketConnection;

class EventLoop final : public Loop {
 public:
  static Result<std::unique_ptr<EventLoop>> create(ServerShared& shared, std::size_t index);
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until the loop has drained.
  void run();
  // Lets every answer be the last of its connection. Thread-safe.
  void retire();
  // Accepts no more, finishes what is in flight for at most so long, then run() returns. Counts
  // `has_let_go` down once the listener is no longer used. Thread-safe.
  void drain(std::int64_t drain_us, std::latch& has_let_go);

  bool post(std::function<void()> function) override;
  std::size_t index() const override { return index_; }
  const LoopCounts& counts() const { return context_.counts; }

 private:
  EventLoop(ServerShared& shared, std::size_t index);
  Result<void> open();
  void turn();
  void look();
  void arrive(SocketConnection& connection, bool is_half_closed);
  void serve_arrivals();
  int milliseconds_to_wait() const;
  void accept_all();
  bool accept_one();
  void pause_accepting(int reason);
  void watch_listener(bool is_on);
  void run_posted();
  void begin_drain(std::int64_t drain_us);
  void delete_finished();
  void stop();

  ServerShared& shared_;
  const std::size_t index_;
  Context context_;
  int epoll_ = -1;
  int wake_ = -1;
  std::size_t connection_count_ = 0;
  bool is_listening_ = false;
  std::int64_t listen_again_ns_ = INT64_MAX;  // After the system had no descriptor for us.
  std::int64_t next_warning_ns_ = 0;
  std::int64_t stop_ns_ = INT64_MAX;  // When draining ends.

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;   // Guarded by mutex_.
  bool is_stopped_ = false;                     // Guarded by mutex_.
  std::vector<std::function<void()>> running_;  // These two are kept for their memory.
  std::vector<Connection*> ready_;
  Arrivals arrivals_;
};

}  // namespace weir::http
