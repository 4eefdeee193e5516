#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/result.h"
#include "http/listener.h"

// The port's socket and the thread that accepts. The library could listen by itself, but then it
// would be the only one to know the socket: no successor could be given it, and nobody could tell
// when the last of the connections has gone.

namespace weir::grpc {

class Engine;

// Who serves a connection: the usual engine, or the one that serves what comes while the server
// waits for its successor.
enum class Phase : std::uint8_t { usual, leaving };

class Acceptor {
 public:
  static Result<std::unique_ptr<Acceptor>> create(
      http::Listener listener, std::size_t max_connections
  );
  ~Acceptor();  // Its thread has been stopped.
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  std::uint16_t port() const { return port_; }
  int listener() const { return listener_.descriptor(); }

  void run(Engine& engine);
  // From here on connections go to this engine.
  void leave(Engine& engine);
  // Readable once none of the connections from before leave() is open.
  int left_descriptor() const { return left_; }
  // From here on nobody is accepted, and no engine gets a connection.
  void close();
  // Until none of the connections from after leave() is open, or that time (monotonic_ns()) has
  // come.
  void wait_for_last(std::int64_t until_ns);
  void stop();

  std::uint64_t connections_open() const { return open(Phase::usual) + open(Phase::leaving); }
  std::uint64_t connections_refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  Acceptor(http::Listener listener, std::size_t max_connections);
  void work();
  void accept_all();
  bool accept_one();
  void take(int socket);
  void forget(int descriptor);
  void pause(int reason);
  void go_on();
  std::uint64_t open(Phase phase) const {
    return open_[static_cast<std::size_t>(phase)].load(std::memory_order_relaxed);
  }

  const std::uint64_t max_connections_;
  std::uint16_t port_ = 0;
  int epoll_ = -1;
  int wake_ = -1;
  int left_ = -1;
  // Second descriptors of the open sockets, by which their end is seen. Of the thread.
  std::unordered_map<int, Phase> connections_;
  std::int64_t next_warning_ns_ = 0;
  bool is_paused_ = false;
  std::array<std::atomic<std::uint64_t>, 2> open_{};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> is_stopping_{false};

  std::mutex mutex_;
  std::condition_variable forgotten_;
  http::Listener listener_;   // Guarded by mutex_, as all below.
  Engine* engine_ = nullptr;  // Null: nobody is accepted.
  Phase phase_ = Phase::usual;
  std::thread thread_;
};

}  // namespace weir::grpc
