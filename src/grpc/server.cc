#include "grpc/server.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>

#include "grpc/worker.h"

namespace weir::grpc {
namespace {

std::string join_address(const std::string& host, std::uint16_t port) {
  if (host.find(':') == std::string::npos) return fmt::format("{}:{}", host, port);
  return fmt::format("[{}]:{}", host, port);
}

class ServerOfLibrary final : public Server {
 public:
  explicit ServerOfLibrary(Sources sources) : shared_(std::move(sources)) {}
  ~ServerOfLibrary() override { stop(0); }

  Result<void> listen(const ServerOptions& options) {
    ::grpc::ServerBuilder builder;
    int port = 0;
    const std::string address = join_address(options.address, options.port);
    builder.AddListeningPort(address, ::grpc::InsecureServerCredentials(), &port);
    // Two servers on one port would each get a share of the calls and nobody would notice.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams);
    constexpr std::uint64_t most = std::numeric_limits<int>::max();  // The library's own limit.
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min(options.max_message_bytes, most)));
    builder.SetMaxSendMessageSize(-1);
    ::grpc::ResourceQuota quota("weir");
    quota.Resize(options.max_buffered_bytes);
    builder.SetResourceQuota(quota);
    builder.RegisterService(&shared_.infer);
    builder.RegisterAsyncGenericService(&shared_.others);
    for (int i = 0; i < options.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(shared_, builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return fail(
          Code::conflict,
          "cannot listen on {} for gRPC: the port is in use or the address is not of this machine; "
          "choose another with --grpc-listen HOST:PORT (port 0: any free one), or --grpc-listen "
          "off",
          address
      );
    }
    port_ = static_cast<std::uint16_t>(port);
    return {};
  }

  std::uint16_t port() const override { return port_; }

  void run() override {
    for (const auto& worker : workers_) worker->run();
  }

  void drain() override {
    shared_.is_draining = true;
    for (const auto& worker : workers_) worker->drain();
  }

  void stop(std::int64_t drain_us) override {
    if (is_stopped_) return;
    is_stopped_ = true;
    if (server_ != nullptr) {
      drain();
      server_->Shutdown(std::chrono::system_clock::now() + std::chrono::microseconds(drain_us));
    }
    for (const auto& worker : workers_) worker->stop();
  }

  ServerCounts counts() const override {
    ServerCounts sum;
    for (const auto& worker : workers_) {
      const WorkerCounts& counts = worker->counts();
      sum.calls_total += counts.total.load(std::memory_order_relaxed);
      sum.calls_cancelled += counts.cancelled.load(std::memory_order_relaxed);
      sum.calls_open += counts.open.load(std::memory_order_relaxed);
    }
    return sum;
  }

 private:
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<::grpc::Server> server_;
  std::uint16_t port_ = 0;
  bool is_stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::create(const ServerOptions& options, Sources sources) {
  auto server = std::make_unique<ServerOfLibrary>(std::move(sources));
  TRY(server->listen(options));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace weir::grpc
