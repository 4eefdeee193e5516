#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/work_queue.h"
#include "control/controller.h"
#include "http/access_log.h"
#include "net/tls_files.h"
#include "protocol/v2.h"
#include "serve/predictor.h"
#include "serve/rate_limit.h"
#include "serve/routes.h"

// The V2 protocol over gRPC, with the standard health service and reflection. One thread per core
// with its own completion queue: a request of a fast model is read, inferred and answered on the
// thread that took it. It decides nothing about a prediction.

namespace weir::grpc {

struct ServerOptions {
  bool enabled = true;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8081;  // 0 = any free one.
  int listener = -1;          // A socket that listens already, instead; the server's from then on.
  net::TlsFiles tls;
  int threads = 1;
  std::size_t max_connections = 10'000;  // Beyond: accepted and closed.
  // After that time a connection is asked to go, and its client opens another one; no call is lost
  // by it. This is how clients get to a successor, or to another server behind the same name.
  // 0 = never.
  std::int64_t connection_age_us = 30'000'000;
  std::uint64_t max_message_bytes = 64ULL << 20;    // Larger requests are RESOURCE_EXHAUSTED.
  std::uint64_t max_buffered_bytes = 512ULL << 20;  // Memory of all connections together.
  int max_streams = 1024;  // Calls of one connection at once; further ones wait at the client.
};

// What the calls are answered from. Everything must outlive the server.
struct Sources {
  serve::Predictor& predictor;
  serve::Routes& routes;
  control::Controller& controller;
  WorkQueue& background;  // For loading and unloading models.
  protocol::DecodeOptions decode;
  std::string token;  // Wanted from every call but health when it is not empty.
  serve::RateLimit* rate_limit = nullptr;  // Null when there is none; shared with HTTP.
  http::AccessLog* access_log = nullptr;   // Null when it is off; shared with HTTP.
};

struct ServerCounts {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_refused = 0;  // Because of max_connections, or without room for one.
  std::uint64_t calls_total = 0;
  std::uint64_t calls_cancelled = 0;  // By the client, or past its deadline, before the answer.
  std::uint64_t calls_open = 0;
  // Calls, and messages of a stream, that were refused: by their client's rate limit, or with
  // RESOURCE_EXHAUSTED or UNAVAILABLE for another reason.
  std::uint64_t refused_rate_limit = 0;
  std::uint64_t refused_exhausted = 0;
  std::uint64_t refused_unavailable = 0;
};

class Server {
 public:
  // Binds and listens; a port in use is a conflict that names the flag. Nothing is answered before
  // run().
  static Result<std::unique_ptr<Server>> create(const ServerOptions& options, Sources sources);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // The listening socket, for a successor; the server's own.
  virtual int listener() const = 0;
  // Starts the threads and returns.
  virtual void run() = 0;
  // Not ready any more from here on, as health checks see it; calls are answered as before.
  virtual void say_not_ready() = 0;
  // From here on connections are asked to go: new ones at once, the others at connection_age.
  virtual void retire() = 0;
  // Readable once all connections from before retire() have gone.
  virtual int left_descriptor() const = 0;
  // Reads the certificate again, for connections from here on; when that fails the old one stays.
  // With `only_if_changed`, only when the files are others than before.
  virtual Result<void> reload_certificate(bool only_if_changed) = 0;
  // Accepts nobody, finishes the calls in flight (at most drain_us), ends streams between two of
  // their messages, joins the threads. A call that is on its way just then fails with UNAVAILABLE,
  // unless its connection has been asked to go before. Not from a thread of the server.
  virtual void stop(std::int64_t drain_us) = 0;
  virtual ServerCounts counts() const = 0;
};

}  // namespace weir::grpc
