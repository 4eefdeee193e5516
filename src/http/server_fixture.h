#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/raw_client.h"
#include "http/server.h"

// For the tests of whole servers: a handler that does what the test says, and a server on a port of
// its own.

namespace weir::http {

// Answers "path body" at once, or what the test's function says.
class TestHandler final : public Handler {
 public:
  Admission admit(const Request&, std::uint64_t) override { return {}; }
  void handle(Exchange& exchange) override {
    if (on_handle) return on_handle(exchange);
    const Request& request = exchange.request();
    exchange.respond(
        200, "text/plain", std::string(request.path) + " " + std::string(request.body)
    );
  }
  void on_lost(Exchange& exchange) override {
    if (when_lost) when_lost(exchange);
  }
  std::function<void(Exchange&)> on_handle;
  std::function<void(Exchange&)> when_lost;
};

// Lets a test wait until the server's thread has got somewhere.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    is_set_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() { options.port = 0; }
  void start() {
    auto created = Server::create(options, handler);
    ASSERT_TRUE(created) << created.error().message;
    server = std::move(*created);
    const Result<void> running = server->run();
    ASSERT_TRUE(running) << running.error().message;
  }
  RawClient connect() { return RawClient(server->port()); }
  // The counts, once they say so; other threads may take a moment.
  void wait_for(const std::function<bool(const ServerCounts&)>& is_reached) {
    while (!is_reached(server->counts())) std::this_thread::yield();
  }

  ServerOptions options;
  TestHandler handler;
  std::unique_ptr<Server> server;
};

inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

inline std::string post(std::string_view body, std::string_view headers = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace weir::http
