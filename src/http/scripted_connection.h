#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/connection.h"

// A connection whose network is two strings, and a loop whose turns and clock are called by hand:
// for tests and the fuzzer.

namespace weir::http {

class ScriptedConnection final : public Connection {
 public:
  explicit ScriptedConnection(Context& context) : Connection(context, "192.0.2.1:1234") {}

  std::string arriving;              // Sent by the client, not yet read.
  bool ends = false;                 // The client closes its side behind it.
  std::size_t read_size = SIZE_MAX;  // The network hands out at most so much at a time.
  std::size_t room = SIZE_MAX;       // Bytes that the client's side still takes.
  int send_error = 0;
  std::string sent;           // What the client has received.
  bool is_shut_down = false;  // The server has closed its side, or all of it:
  bool is_closed = false;

 private:
  ssize_t receive(std::span<char> space) override {
    if (arriving.empty() && ends) return 0;
    if (arriving.empty()) {
      errno = EAGAIN;
      return -1;
    }
    const std::size_t count = std::min({space.size(), arriving.size(), read_size});
    std::memcpy(space.data(), arriving.data(), count);
    arriving.erase(0, count);
    return static_cast<ssize_t>(count);
  }
  ssize_t transmit(std::span<const iovec> parts) override {
    if (send_error != 0) {
      errno = send_error;
      return -1;
    }
    std::size_t count = 0;
    std::size_t wanted = 0;
    for (const iovec& part : parts) {
      wanted += part.iov_len;
      const std::size_t taken = std::min(part.iov_len, room);
      sent.append(static_cast<const char*>(part.iov_base), taken);
      room -= taken;
      count += taken;
    }
    if (count > 0 || wanted == 0) return static_cast<ssize_t>(count);
    errno = EAGAIN;
    return -1;
  }
  void shut_down_sending() override { is_shut_down = true; }
  void close_wire() override { is_closed = true; }
};

class ScriptedLoop final : public Loop {
 public:
  ScriptedLoop(const ServerOptions& options, Handler& handler)
      : options_(options),
        budget_(options.max_buffered_bytes),
        context_(options_, handler, *this, budget_) {
    context_.now_ns = 1'000'000'000;
    context_.seen_ns = context_.now_ns;
  }

  bool post(std::function<void()> function) override {
    posted_.push_back(std::move(function));
    return true;
  }
  std::size_t index() const override { return 0; }
  Context& context() { return context_; }
  std::uint64_t buffered_bytes() const { return budget_.used(); }

  // Lets the client send, and the loop do all that follows without time passing.
  void send(ScriptedConnection& connection, std::string_view bytes) {
    connection.arriving += bytes;
    connection.on_readable(connection.ends);
    settle();
  }
  void end(ScriptedConnection& connection) {
    connection.ends = true;
    connection.on_readable(true);
    settle();
  }
  // The client has read `count` bytes more.
  void make_room(ScriptedConnection& connection, std::size_t count) {
    connection.room += count;
    connection.on_writable();
    settle();
  }
  void pass_us(std::int64_t us) {
    context_.now_ns += us * 1000;
    context_.seen_ns = context_.now_ns;
    settle();
  }
  void settle() {
    while (!posted_.empty() || !context_.ready.empty()) {
      std::deque<std::function<void()>> posted;
      posted.swap(posted_);
      for (const auto& function : posted) function();
      std::vector<Connection*> ready;
      ready.swap(context_.ready);
      for (Connection* connection : ready) connection->on_ready();
    }
    while (Waiter* waiter = context_.waits.expired(context_.now_ns)) {
      static_cast<Connection*>(waiter)->on_expired();
    }
    if (!context_.ready.empty()) settle();
  }

 private:
  const ServerOptions options_;
  MemoryBudget budget_;
  Context context_;
  std::deque<std::function<void()>> posted_;
};

}  // namespace weir::http
