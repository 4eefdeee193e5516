#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/work_queue.h"
#include "control/controller.h"
#include "protocol/v2.h"
#include "serve/predictor.h"
#include "serve/routes.h"

// The V2 protocol over gRPC, with the standard health service and reflection. One thread per core
// with its own completion queue: a request of a fast model is read, inferred and answered on the
// thread that took it. It decides nothing about a prediction.

namespace weir::grpc {

struct ServerOptions {
  bool enabled = true;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8081;  // 0 = any free one.
  int threads = 1;
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
};

struct ServerCounts {
  std::uint64_t calls_total = 0;
  std::uint64_t calls_cancelled = 0;  // By the client, or past its deadline, before the answer.
  std::uint64_t calls_open = 0;
};

class Server {
 public:
  // Binds and listens; a port in use is a conflict that names the flag. Nothing is answered before
  // run().
  static Result<std::unique_ptr<Server>> create(const ServerOptions& options, Sources sources);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // Starts the threads and returns.
  virtual void run() = 0;
  // Not ready any more from here on, while stop() has not been called yet.
  virtual void drain() = 0;
  // Takes no new calls, finishes those in flight (at most drain_us), ends streams between two of
  // their messages, joins the threads. Not from a thread of the server.
  virtual void stop(std::int64_t drain_us) = 0;
  virtual ServerCounts counts() const = 0;
};

}  // namespace weir::grpc
