#include "grpc/engine.h"

#include <algorithm>
#include <limits>

#include <grpcpp/resource_quota.h>

namespace weir::grpc {

Result<std::unique_ptr<Engine>> Engine::create(
    const ServerOptions& options,
    Shared& shared,
    const PortCredentials& credentials,
    std::int64_t connection_age_us
) {
  std::unique_ptr<Engine> engine(new Engine);
  constexpr std::uint64_t most = std::numeric_limits<int>::max();  // The library's own limit.
  ::grpc::ServerBuilder builder;
  engine->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      ::grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials
  );
  if (connection_age_us > 0) {
    const auto age_ms = static_cast<std::uint64_t>(connection_age_us / 1000);
    builder.AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(std::clamp<std::uint64_t>(age_ms, 1, most))
    );
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams);
  builder.SetMaxReceiveMessageSize(static_cast<int>(std::min(options.max_message_bytes, most)));
  builder.SetMaxSendMessageSize(-1);
  ::grpc::ResourceQuota quota("weir");
  quota.Resize(options.max_buffered_bytes);
  builder.SetResourceQuota(quota);
  builder.RegisterService(&engine->services_.infer);
  builder.RegisterAsyncGenericService(&engine->services_.others);
  for (int i = 0; i < options.threads; ++i) {
    engine->workers_.push_back(
        std::make_unique<Worker>(shared, engine->services_, builder.AddCompletionQueue())
    );
  }
  engine->server_ = builder.BuildAndStart();
  if (engine->server_ == nullptr) {
    return fail(Code::unavailable, "the gRPC library does not start a server");
  }
  return engine;
}

Engine::~Engine() {
  stop(std::chrono::system_clock::now());
}

void Engine::run() {
  for (const auto& worker : workers_) worker->run();
}

void Engine::take(int socket) {
  ::grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = socket;
  acceptor_->HandleNewConnection(&connection);
}

void Engine::say_not_ready() {
  for (const auto& worker : workers_) worker->say_not_ready();
}

void Engine::drain() {
  for (const auto& worker : workers_) worker->drain();
}

void Engine::stop(std::chrono::system_clock::time_point until) {
  if (is_stopped_) return;
  is_stopped_ = true;
  if (server_ != nullptr) server_->Shutdown(until);
  for (const auto& worker : workers_) worker->stop();
}

void Engine::add_counts(ServerCounts& sum) const {
  for (const auto& worker : workers_) {
    const WorkerCounts& counts = worker->counts();
    sum.calls_total += counts.total.load(std::memory_order_relaxed);
    sum.calls_cancelled += counts.cancelled.load(std::memory_order_relaxed);
    sum.calls_open += counts.open.load(std::memory_order_relaxed);
    sum.refused_rate_limit += counts.rate_limited.load(std::memory_order_relaxed);
    sum.refused_exhausted += counts.exhausted.load(std::memory_order_relaxed);
    sum.refused_unavailable += counts.unavailable.load(std::memory_order_relaxed);
  }
}

}  // namespace weir::grpc
