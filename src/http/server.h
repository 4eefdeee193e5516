#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// An HTTP/1.1 server: one event loop per thread, each with its own connections. It knows nothing
// of models.

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, patch, other };
std::string_view to_string(Method method);

struct Header {
  std::string_view name;
  std::string_view value;
};

// A request that has arrived whole. Everything is borrowed from the connection and valid until the
// answer is given.
struct Request {
  Method method = Method::get;
  std::string_view path;   // Still percent-encoded, without the query.
  std::string_view query;  // Without '?'.
  std::span<const Header> headers;
  std::string_view body;   // Decompressed; at least 64 readable bytes follow it.
  std::string_view peer;   // "127.0.0.1:51234"
  std::int64_t received_ns = 0;  // monotonic_ns() when its first byte was read.

  // The value of the first header of that name, any letter case; empty when absent.
  std::string_view header(std::string_view name) const;
};

class Loop;

// One request and the place for its answer. Handed to the handler on the loop's thread; respond()
// is called exactly once, on the same thread, now or later (from Loop::post).
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual Loop& loop() = 0;
  // False once the client has gone; the answer must be given all the same and is thrown away.
  virtual bool is_connected() const = 0;
  // Sends status, headers and body in one write. `body` is copied or written before this returns.
  // `headers` are extra ones, complete lines "Name: value\r\n"; Content-Length, Content-Type and
  // Connection are written here.
  virtual void respond(
      int status, std::string_view content_type, std::string_view body, std::string_view headers = {}
  ) = 0;
  // Memory that lives as long as the connection, for the handler's own use (created empty; freed
  // with the connection, or when the last exchange on it has been answered).
  virtual std::shared_ptr<void>& scratch() = 0;
  // Starts a streamed answer (server-sent events): no Content-Length, the connection closes after
  // finish. send() may be called from the loop's thread until it returns false (client gone or
  // more than Options::stream_buffer_bytes unread).
  virtual void begin_stream(int status, std::string_view content_type) = 0;
  virtual bool send(std::string_view bytes) = 0;
  virtual void finish_stream() = 0;
};

class Loop {
 public:
  virtual ~Loop() = default;
  // Runs the function on the loop's thread soon. Thread-safe; false when the loop has stopped.
  virtual bool post(std::function<void()> function) = 0;
  virtual std::size_t index() const = 0;
};

// The head of a request has arrived and its body has not been read yet.
struct Admission {
  int status = 0;                // 0 = go on; otherwise refuse with this status and message.
  std::string_view message;      // Becomes {"error": message}.
  std::uint64_t max_body_bytes = 0;  // 0 = the server's default.
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Called on the loop's thread when the head is complete, before the body is read. `declared_bytes`
  // is Content-Length, or 0 for a chunked body.
  virtual Admission admit(const Request& head, std::uint64_t declared_bytes) = 0;
  virtual void handle(Exchange& exchange) = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any free one.
  int threads = 1;
  std::size_t max_connections = 10'000;          // Beyond: accept, answer 503, close.
  std::uint64_t max_head_bytes = 64 * 1024;      // Request line and headers → 431.
  std::uint64_t max_body_bytes = 64ULL << 20;    // As sent and after decompression → 413.
  std::uint64_t max_buffered_bytes = 512ULL << 20;  // Bodies of all connections together → 503.
  std::int64_t head_timeout_us = 10'000'000;     // From the first byte to the end of the head → 408.
  std::int64_t body_timeout_us = 60'000'000;     // From the end of the head to the end of the body.
  std::int64_t idle_timeout_us = 75'000'000;     // Between two requests.
  std::int64_t write_timeout_us = 30'000'000;    // A client that does not read.
  std::uint64_t stream_buffer_bytes = 1ULL << 20;
};

struct ServerCounts {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t requests_total = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t malformed = 0;
  std::uint64_t buffered_bytes = 0;
};

class Server {
 public:
  // Binds and listens; a port in use is a conflict that names the port and the fix. Nothing is
  // accepted before run().
  static Result<std::unique_ptr<Server>> create(const ServerOptions& options, Handler& handler);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // Starts the threads and returns.
  virtual Result<void> run() = 0;
  // Stops accepting, finishes the requests in flight (at most drain_us), closes, joins the threads.
  virtual void stop(std::int64_t drain_us) = 0;
  virtual ServerCounts counts() const = 0;
};

// {"error": message} with the status of the code; used by the V2 surface.
int http_status(Code code);

}  // namespace weir::http
