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
#include "http/arrivals.h"
#include "net/tls_files.h"

// An HTTP/1.1 server: one event loop per thread, each with its own connections. It knows nothing
// of models.

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, patch, other };
std::string_view to_string(Method method);

struct Header {
  std::string_view name;
  std::string_view value;
};

// Header names and their like: ASCII letters compare equal in either case.
bool equals_ignoring_case(std::string_view left, std::string_view right);

// A request that has arrived whole. Everything is borrowed from the connection and valid until the
// answer is given.
struct Request {
  Method method = Method::get;
  std::string_view path;   // Still percent-encoded (url.h decodes), without the query.
  std::string_view query;  // Without '?'.
  std::span<const Header> headers;
  std::string_view body;         // Decompressed; at least 64 readable bytes follow it.
  std::string_view peer;         // "127.0.0.1:51234"
  std::string_view id;           // Of x-request-id, else Ce-Id, where it is well-formed; or empty.
  std::string_view traceparent;  // W3C trace context where it is valid; or empty.
  std::int64_t received_ns = 0;  // monotonic_ns() when the loop learned of its first byte.
  bool is_behind = false;        // It has waited for its turn for half of max_backlog_us or more.
  // It is asked about before its turn, which is expected to come after so long only: a prediction
  // is to be refused. 0: its turn has come.
  std::int64_t ahead_ns = 0;

  // The value of the first header of that name, any letter case; empty when absent.
  std::string_view header(std::string_view name) const;
};

class AccessLog;
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
  // `headers` are extra ones, complete lines "Name: value\r\n"; Content-Length, Content-Type,
  // Content-Encoding, Date and Connection are written here. A body is compressed when the client
  // accepts that and Options::compress_min_bytes is reached, unless `headers` name an encoding.
  virtual void respond(
      int status,
      std::string_view content_type,
      std::string_view body,
      std::string_view headers = {}
  ) = 0;
  // Memory for the handler's own use, kept from one exchange of a connection to the next (created
  // empty; freed with the connection, or once the connection has been idle for a second).
  virtual std::shared_ptr<void>& scratch() = 0;
  // What the access log calls this exchange, rather than by the client's own id. Borrowed until the
  // answer.
  virtual void set_id(std::string_view) {}
  // Starts a streamed answer (server-sent events): no Content-Length, the connection closes after
  // finish. send() may be called from the loop's thread until it returns false (client gone or
  // more than Options::stream_buffer_bytes unread); finish_stream() is called exactly once in
  // either case and ends the exchange.
  virtual void begin_stream(int status, std::string_view content_type) = 0;
  virtual bool send(std::string_view bytes) = 0;
  virtual void finish_stream() = 0;
};

class Loop {
 public:
  virtual ~Loop() = default;
  // Runs the function on the loop's thread soon. Thread-safe; false when the loop has stopped: then
  // its exchanges are over and must not be touched again.
  virtual bool post(std::function<void()> function) = 0;
  virtual std::size_t index() const = 0;
};

// The head of a request has arrived and its body has not been read yet.
struct Admission {
  int status = 0;            // 0 = go on; otherwise refuse with this status and message.
  std::string_view message;  // Becomes {"error": message}; valid until admit is called again.
  std::uint64_t max_body_bytes = 0;  // 0 = the server's default.
  std::int64_t retry_after_s = 1;    // What a refusal with 429 or 503 tells the client to wait.
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Called on the loop's thread when the head is complete, before the body is read.
  // `declared_bytes` is Content-Length, or 0 for a chunked body.
  virtual Admission admit(const Request& head, std::uint64_t declared_bytes) = 0;
  virtual void handle(Exchange& exchange) = 0;
  // The client of an exchange that has not been answered yet has gone. It may be answered now, or
  // later as ever.
  virtual void on_lost(Exchange&) {}
};

struct CorsOptions {
  std::vector<std::string> origins;       // "https://page.example", or "*" for all; none = off.
  std::int64_t max_age_us = 600'000'000;  // How long a browser remembers the answer to a preflight.
};

struct AccessLogOptions {
  std::string path;                            // A file, "-" = standard error; empty = off.
  double sample = 1;                           // Share of the answers below 400.
  std::uint64_t queue_max_bytes = 4ULL << 20;  // Lines that wait; beyond: dropped and counted.
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any free one.
  int listener = -1;          // A socket that listens already, instead; the server's from then on.
  net::TlsFiles tls;
  int threads = 1;
  ArrivalsOptions arrivals;
  std::size_t max_connections = 10'000;  // Beyond: accept, answer 503, close.
  std::size_t max_refused_open = 256;    // Of those, at most so many wait until their 503 is read.
  std::uint64_t max_head_bytes = 64 * 1024;         // Request line and headers → 431.
  std::size_t max_headers = 128;                    // → 431.
  std::uint64_t max_body_bytes = 64ULL << 20;       // As sent and after decompression → 413.
  std::uint64_t max_buffered_bytes = 512ULL << 20;  // Memory of all connections together → 503.
  std::uint64_t max_discarded_bytes =
      256 * 1024;                             // A refused body that is read to keep the connection.
  std::int64_t head_timeout_us = 10'000'000;  // From the first byte to the end of the head → 408.
  std::int64_t body_timeout_us = 60'000'000;  // From the end of the head to the end of the body.
  std::int64_t idle_timeout_us = 75'000'000;  // Between two requests.
  std::int64_t write_timeout_us = 30'000'000;  // A client that does not read.
  std::int64_t linger_timeout_us = 2'000'000;  // For a client to read a last answer; then closed.
  std::int64_t idle_drain_us = 250'000;  // For an idle client to ask once more before the end.
  std::uint64_t stream_buffer_bytes = 1ULL << 20;
  std::uint64_t compress_min_bytes = 1024;  // Smaller answers are never compressed; 0 = none is.
  CorsOptions cors;
  AccessLogOptions access_log;
};

struct ServerCounts {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_total = 0;    // Accepted, those refused not among them.
  std::uint64_t connections_refused = 0;  // Answered 503 because of max_connections.
  std::uint64_t accept_failures = 0;      // The system had no file or no memory for a connection.
  std::uint64_t requests_total = 0;       // Heads that were understood.
  std::uint64_t timeouts = 0;             // Of heads, bodies and answers; idle ones do not count.
  std::uint64_t malformed = 0;            // Requests that are not HTTP, or dangerously ambiguous.
  std::uint64_t over_limit = 0;           // 413, 431 and 503 that this server gave by itself.
  std::uint64_t buffered_bytes = 0;       // Memory that connections hold just now.
  std::uint64_t access_log_dropped = 0;   // Lines that its queue or its file had no room for.
};

class Server {
 public:
  // Binds and listens; a port in use is a conflict that names the port and the fix. Nothing is
  // accepted before run(). The handler outlives the server. Raises the process's limit of open
  // files as far as max_connections needs and the system allows.
  static Result<std::unique_ptr<Server>> create(const ServerOptions& options, Handler& handler);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // The listening socket, for a successor; the server's own.
  virtual int listener() const = 0;
  // Starts the threads and returns.
  virtual Result<void> run() = 0;
  // From here on every answer is the last of its connection, so that clients go elsewhere in time;
  // new connections are still accepted. Not from a loop's thread.
  virtual void retire() = 0;
  // Reads the certificate again, for connections from here on; when that fails the old one stays.
  // With `only_if_changed`, only when the files are others than before.
  virtual Result<void> reload_certificate(bool only_if_changed) = 0;
  // For other transports, which write into the same one; null when it is off. The server's own.
  virtual AccessLog* access_log() = 0;
  // Opens the access log's file again, after a rotation.
  virtual Result<void> reopen_access_log() = 0;
  // Stops accepting, finishes the requests in flight (at most drain_us), closes, joins the threads.
  // Who is connected and idle may ask for idle_drain_us more. Streams are cut off at once: they
  // have no end of their own. Not from a loop's thread.
  virtual void stop(std::int64_t drain_us) = 0;
  virtual ServerCounts counts() const = 0;
};

// The status of an error on the V2 surface; respond.h has the other one and the body.
int http_status(Code code);

}  // namespace weir::http
