#include "http/server.h"

#include <algorithm>
#include <csignal>
#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sys/resource.h>

#include "base/check.h"
#include "http/access_log.h"
#include "http/listener.h"
#include "http/loop.h"

namespace weir::http {
namespace {

// Every limit has a use and a bound beyond which it is a mistake.
Result<void> check_options(const ServerOptions& options) {
  struct Range {
    const char* name;
    std::uint64_t value;
    std::uint64_t least;
    std::uint64_t most;
  };
  const auto number = [](auto value) {
    return static_cast<std::uint64_t>(std::max<decltype(value)>(value, 0));
  };
  constexpr std::uint64_t day_us = 86'400'000'000;
  constexpr std::uint64_t two_gib = 2ULL << 30;
  const Range ranges[] = {
      {"threads", number(options.threads), 1, 256},
      {"max_connections", options.max_connections, 1, 10'000'000},
      {"max_head_bytes", options.max_head_bytes, 64, 16ULL << 20},
      {"max_headers", options.max_headers, 1, 100'000},
      {"max_body_bytes", options.max_body_bytes, 1, two_gib},
      {"max_buffered_bytes", options.max_buffered_bytes, 64 * 1024, UINT64_MAX / 2},
      {"head_timeout", number(options.head_timeout_us), 1000, day_us},
      {"body_timeout", number(options.body_timeout_us), 1000, day_us},
      {"idle_timeout", number(options.idle_timeout_us), 1000, day_us},
      {"write_timeout", number(options.write_timeout_us), 1000, day_us},
      {"linger_timeout", number(options.linger_timeout_us), 1000, day_us},
      {"idle_drain", number(options.idle_drain_us), 1000, day_us},
  };
  for (const Range& range : ranges) {
    if (range.value >= range.least && range.value <= range.most) continue;
    return fail(
        Code::invalid_argument,
        "server option {} is {}; it must be between {} and {}",
        range.name,
        range.value,
        range.least,
        range.most
    );
  }
  return {};
}

// Every connection is an open file, and the usual limit of 1,024 is a convention of old programs.
void raise_file_limit(std::size_t connections) {
  constexpr rlim_t others = 1024;  // The ledger, the store, models, libraries.
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(connections + others, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  // Where it fails, accept() will say what is missing.
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<Listener> open_listener(const ServerOptions& options) {
  if (options.listener >= 0) return Listener::adopt(options.listener);
  return Listener::open(options.address, options.port);
}

class LoopServer final : public Server {
 public:
  LoopServer(
      const ServerOptions& options,
      Handler& handler,
      Listener listener,
      std::unique_ptr<AccessLog> access_log,
      std::unique_ptr<Tls> tls
  )
      : listener_(std::move(listener)),
        access_log_(std::move(access_log)),
        tls_(std::move(tls)),
        shared_(options, handler, listener_.descriptor(), access_log_.get(), tls_.get()) {}
  ~LoopServer() override { stop(0); }

  Result<void> make_loops() {
    for (int i = 0; i < shared_.options.threads; ++i) {
      loops_.push_back(TRY(EventLoop::create(shared_, static_cast<std::size_t>(i))));
    }
    return {};
  }

  std::uint16_t port() const override { return listener_.port(); }
  int listener() const override { return listener_.descriptor(); }
  Result<void> run() override;
  void retire() override;
  Result<void> reload_certificate(bool only_if_changed) override;
  AccessLog* access_log() override { return access_log_.get(); }
  Result<void> reopen_access_log() override;
  void stop(std::int64_t drain_us) override;
  ServerCounts counts() const override;

 private:
  Listener listener_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<Tls> tls_;
  ServerShared shared_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

Result<void> LoopServer::run() {
  CHECK(threads_.empty(), "a server runs once");
  // Signals are the business of the thread that started us, except for those by which a thread
  // itself dies: were they blocked, the system would end the process without a crash note.
  sigset_t others;
  sigset_t before;
  sigfillset(&others);
  for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigdelset(&others, own);
  pthread_sigmask(SIG_SETMASK, &others, &before);
  Result<void> outcome;
  for (const auto& loop : loops_) {
    try {
      threads_.emplace_back([&loop = *loop] {
        pthread_setname_np(pthread_self(), ("http-" + std::to_string(loop.index())).c_str());
        loop.run();
      });
    } catch (const std::system_error& error) {
      outcome = fail(Code::unavailable, "cannot start a thread for HTTP: {}", error.what());
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!outcome) stop(0);
  return outcome;
}

void LoopServer::retire() {
  for (const auto& loop : loops_) loop->retire();
}

Result<void> LoopServer::reload_certificate(bool only_if_changed) {
  if (!tls_ || (only_if_changed && !tls_->has_changed())) return {};
  return tls_->reload();
}

Result<void> LoopServer::reopen_access_log() {
  if (!access_log_) return {};
  return access_log_->reopen();
}

void LoopServer::stop(std::int64_t drain_us) {
  for (const std::thread& thread : threads_) {
    CHECK(thread.get_id() != std::this_thread::get_id(), "a loop cannot wait for itself");
  }
  if (!threads_.empty()) {
    std::latch have_let_go(static_cast<std::ptrdiff_t>(threads_.size()));
    for (std::size_t i = 0; i < threads_.size(); ++i) loops_[i]->drain(drain_us, have_let_go);
    have_let_go.wait();
    listener_.close();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  listener_.close();
}

ServerCounts LoopServer::counts() const {
  ServerCounts sum;
  for (const auto& loop : loops_) {
    const LoopCounts& counts = loop->counts();
    sum.connections_total += counts.connections_total.value();
    sum.connections_refused += counts.connections_refused.value();
    sum.accept_failures += counts.accept_failures.value();
    sum.requests_total += counts.requests_total.value();
    sum.timeouts += counts.timeouts.value();
    sum.malformed += counts.malformed.value();
    sum.over_limit += counts.over_limit.value();
  }
  sum.connections_open = shared_.connections_open.load(std::memory_order_relaxed);
  sum.buffered_bytes = shared_.budget.used();
  sum.access_log_dropped = access_log_ ? access_log_->dropped() : 0;
  return sum;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(const ServerOptions& options, Handler& handler) {
  TRY(check_options(options));
  std::unique_ptr<Tls> tls;
  if (options.tls.is_on()) tls = TRY(Tls::open(options.tls));
  Listener listener = TRY(open_listener(options));
  raise_file_limit(options.max_connections);
  std::unique_ptr<AccessLog> access_log;
  if (!options.access_log.path.empty()) access_log = TRY(AccessLog::open(options.access_log));
  auto server = std::make_unique<LoopServer>(
      options, handler, std::move(listener), std::move(access_log), std::move(tls)
  );
  TRY(server->make_loops());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace weir::http
