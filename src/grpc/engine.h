#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <grpcpp/server_builder.h>

#include "grpc/certificate.h"
#include "grpc/worker.h"

namespace weir::grpc {

// One server of the library with its threads. It listens to nothing: connections are brought to it.
class Engine {
 public:
  // `credentials` decide between TLS and none. Connections of that age (0 = of any) are asked to
  // go: the client opens another one for its next call, and ends this one after the last answer.
  static Result<std::unique_ptr<Engine>> create(
      const ServerOptions& options,
      Shared& shared,
      const PortCredentials& credentials,
      std::int64_t connection_age_us
  );
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void run();
  // A connection that has been accepted, and does not block; the engine's from then on. Not after
  // stop().
  void take(int socket);
  void say_not_ready();
  void drain();
  void stop(std::chrono::system_clock::time_point until);
  void add_counts(ServerCounts& sum) const;

 private:
  Engine() = default;

  Services services_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<::grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<::grpc::Server> server_;
  bool is_stopped_ = false;
};

}  // namespace weir::grpc
