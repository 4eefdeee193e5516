#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/scripted_connection.h"

// For the tests of connections: a handler that remembers what it was asked, and one connection.

namespace weir::http {

// A copy of a request.
struct Asked {
  Method method;
  std::string path;
  std::string query;
  std::string body;
  std::string peer;
  std::int64_t received_ns;
};

// Answers "METHOD path body" at once, unless the test wants otherwise.
class RecordingHandler final : public Handler {
 public:
  Admission admit(const Request& head, std::uint64_t declared_bytes) override {
    declared.push_back(declared_bytes);
    return on_admit ? on_admit(head) : Admission();
  }
  void handle(Exchange& exchange) override {
    const Request& request = exchange.request();
    // Whatever the body's place is, a parser may read beyond it.
    const char* behind = request.body.data() + request.body.size();
    for (std::size_t i = 0; i < Buffer::padding; ++i) {
      readable_sum += static_cast<unsigned char>(behind[i]);
    }
    asked.push_back(
        {request.method,
         std::string(request.path),
         std::string(request.query),
         std::string(request.body),
         std::string(request.peer),
         request.received_ns}
    );
    if (on_handle) return on_handle(exchange);
    const std::string answer = std::string(to_string(request.method)) + " " +
                               std::string(request.path) + " " + std::string(request.body);
    exchange.respond(200, "text/plain", answer);
  }

  std::vector<Asked> asked;
  std::vector<std::uint64_t> declared;
  std::function<Admission(const Request&)> on_admit;
  std::function<void(Exchange&)> on_handle;
  unsigned readable_sum = 0;  // So that the reading is not optimised away.
};

// Takes the Date lines out, which differ from one second to the next.
inline std::string without_dates(std::string text) {
  for (std::size_t at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ")) {
    text.erase(at, text.find('\n', at) + 1 - at);
  }
  return text;
}

class ConnectionTest : public testing::Test {
 protected:
  // Options are set before the first use of loop() or client().
  ScriptedLoop& loop() {
    if (!loop_) loop_.emplace(options, handler);
    return *loop_;
  }
  ScriptedConnection& client() {
    if (!client_) client_ = connect();
    return *client_;
  }
  std::unique_ptr<ScriptedConnection> connect() {
    auto connection = std::make_unique<ScriptedConnection>(loop().context());
    connection->start();
    return connection;
  }
  void send(std::string_view bytes) { loop().send(client(), bytes); }
  std::string sent() { return without_dates(client().sent); }
  // What was sent since the last call.
  std::string take_sent() { return without_dates(std::exchange(client().sent, {})); }
  const ServerOptions& fixed_options() { return loop().context().options; }
  std::uint64_t count(const Count LoopCounts::*which) {
    return (loop().context().counts.*which).value();
  }

  ServerOptions options;
  RecordingHandler handler;

 private:
  std::optional<ScriptedLoop> loop_;
  std::unique_ptr<ScriptedConnection> client_;
};

inline std::string answer(std::string_view body, std::string_view more_headers = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + std::string(more_headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline std::string get(std::string_view path, std::string_view more_headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more_headers) +
         "\r\n";
}

inline std::string post(std::string_view body, std::string_view more_headers = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + std::string(more_headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline std::string chunked(std::string_view body, std::size_t chunk_size) {
  std::string text = "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += chunk_size) {
    const std::string_view chunk = body.substr(at, chunk_size);
    text += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
  }
  return text + "0\r\n\r\n";
}

}  // namespace weir::http
