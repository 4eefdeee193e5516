#include "grpc/server.h"

#include <chrono>
#include <mutex>

#include <grpcpp/security/server_credentials.h>

#include "base/clock.h"
#include "base/log.h"
#include "grpc/acceptor.h"
#include "grpc/certificate.h"
#include "grpc/engine.h"
#include "grpc/worker.h"

namespace weir::grpc {
namespace {

// Long enough for a client to ask something on a connection, short enough to be waited for.
constexpr std::int64_t leaving_age_us = 200'000;

Result<http::Listener> open_listener(const ServerOptions& options) {
  if (options.listener >= 0) return http::Listener::adopt(options.listener);
  return http::Listener::open(
      options.address, options.port, {.flag = "--grpc-listen", .usual_port = 8081}
  );
}

class ServerOfLibrary final : public Server {
 public:
  ServerOfLibrary(const ServerOptions& options, Sources sources)
      : options_(options), shared_(std::move(sources)) {}
  ~ServerOfLibrary() override { stop(0); }

  Result<void> open() {
    if (options_.tls.is_on()) certificate_ = TRY(Certificate::open(options_.tls));
    http::Listener listener = TRY(open_listener(options_));
    usual_ = TRY(make_engine(options_.connection_age_us));
    acceptor_ = TRY(Acceptor::create(std::move(listener), options_.max_connections));
    return {};
  }

  std::uint16_t port() const override { return acceptor_->port(); }
  int listener() const override { return acceptor_->listener(); }

  void run() override {
    usual_->run();
    acceptor_->run(*usual_);
  }

  void say_not_ready() override {
    if (shared_.is_ready.exchange(false)) {
      for_each_engine([](Engine& engine) { engine.say_not_ready(); });
    }
  }

  void retire() override {
    auto engine = make_engine(leaving_age_us);
    if (!engine) {
      LOG(error, "connections of gRPC do not leave: {}", engine.error().message);
      return;
    }
    const std::lock_guard lock(mutex_);
    leaving_ = *std::move(engine);
    leaving_->run();
    acceptor_->leave(*leaving_);
  }

  int left_descriptor() const override { return acceptor_->left_descriptor(); }

  Result<void> reload_certificate(bool only_if_changed) override {
    if (!certificate_ || (only_if_changed && !certificate_->has_changed())) return {};
    return certificate_->reload();
  }

  void stop(std::int64_t drain_us) override {
    if (is_stopped_) return;
    is_stopped_ = true;
    if (acceptor_ == nullptr) return;
    const auto until = std::chrono::system_clock::now() + std::chrono::microseconds(drain_us);
    acceptor_->close();
    shared_.is_ready = false;
    shared_.is_draining = true;
    for_each_engine([](Engine& engine) { engine.drain(); });
    // Who has been asked to go does so: nothing that it sends is lost.
    if (leaving_ != nullptr) acceptor_->wait_for_last(monotonic_ns() + drain_us * 1000);
    for_each_engine([until](Engine& engine) { engine.stop(until); });
    acceptor_->stop();
  }

  ServerCounts counts() const override {
    ServerCounts sum;
    for_each_engine([&sum](const Engine& engine) { engine.add_counts(sum); });
    sum.connections_open = acceptor_->connections_open();
    sum.connections_refused = acceptor_->connections_refused();
    return sum;
  }

 private:
  Result<std::unique_ptr<Engine>> make_engine(std::int64_t connection_age_us) {
    return Engine::create(
        options_,
        shared_,
        certificate_ ? certificate_->credentials() : ::grpc::InsecureServerCredentials(),
        connection_age_us
    );
  }

  template <class Function>
  void for_each_engine(Function function) const {
    function(*usual_);
    Engine* leaving = nullptr;
    {
      const std::lock_guard lock(mutex_);
      leaving = leaving_.get();
    }
    if (leaving != nullptr) function(*leaving);
  }

  const ServerOptions options_;
  Shared shared_;
  std::unique_ptr<Certificate> certificate_;
  std::unique_ptr<Engine> usual_;
  mutable std::mutex mutex_;
  std::unique_ptr<Engine> leaving_;  // Made under mutex_, and then there until the end.
  std::unique_ptr<Acceptor> acceptor_;
  bool is_stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::create(const ServerOptions& options, Sources sources) {
  auto server = std::make_unique<ServerOfLibrary>(options, std::move(sources));
  TRY(server->open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace weir::grpc
