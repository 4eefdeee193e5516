#include "app/serve_command.h"

#include <csignal>
#include <cstdio>
#include <set>
#include <thread>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/application.h"
#include "app/handover.h"
#include "base/file.h"
#include "base/log.h"
#include "base/program_memory.h"
#include "cli/client.h"
#include "config/config.h"
#include "http/listener.h"
#include "ledger/reader.h"
#include "model/model_host.h"

namespace weir::app {
namespace {

Application* running = nullptr;

void handle_stop(int) {
  if (running != nullptr) running->stop();
}

void handle_reload(int) {
  if (running != nullptr) running->reload();
}

void set_level(const std::string& level) {
  if (level == "debug") set_log_level(LogLevel::debug);
  if (level == "warning") set_log_level(LogLevel::warning);
  if (level == "error") set_log_level(LogLevel::error);
}

Result<void> apply_models(const std::vector<std::string>& given, config::Config& config) {
  std::set<std::string> names;
  for (const auto& [name, path] : config.models) names.insert(name);
  for (const std::string& model : given) {
    const std::size_t equals = model.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == model.size()) {
      return fail(
          Code::invalid_argument, "--model '{}' is not NAME=PATH, such as fraud=fraud.onnx", model
      );
    }
    std::string name = model.substr(0, equals);
    if (!names.insert(name).second) {
      return fail(
          Code::invalid_argument,
          "two models are called '{}'; an endpoint has one name, further versions come with 'weir "
          "deploy {} PATH'",
          name,
          name
      );
    }
    config.models.emplace_back(std::move(name), model.substr(equals + 1));
  }
  return {};
}

Result<void> check_readable(const std::string& name, const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0) return {};
  Error error = system_error("read", path);
  error.message = fmt::format("--model {}={}: {}", name, path, error.message);
  return tl::unexpected(std::move(error));
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "localhost" || address == "::1";
}

Result<void> check_address(const std::string& address) {
  if (is_loopback(address)) return {};
  return fail(
      Code::invalid_argument,
      "on {} anybody could control this server: give a token with --token-file FILE (or "
      "WEIR_TOKEN), or listen on 127.0.0.1",
      address
  );
}

// Listens where the socket does. The descriptor is the caller's.
template <class ServerOptions>
Result<void> use_listener(int descriptor, ServerOptions& options) {
  const http::Listener listener = TRY(http::Listener::adopt(descriptor));
  options.address = listener.address();
  options.port = listener.port();
  options.listener = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  return {};
}

// The listening sockets may come from a supervisor or from the server that this one succeeds. That
// one ends then, so all that can be wrong with the rest is found before.
Result<void> find_listeners(const cli::ServeArguments& arguments, ApplicationOptions& options) {
  config::Config& config = options.config;
  if (config.http.tls.is_on()) TRY(net::read_tls_files(config.http.tls));
  Listeners found;
  found.http = TRY(http::inherited_listener()).value_or(-1);
  if (arguments.take_over) {
    for (const auto& [name, path] : config.models) TRY(check_readable(name, path));
    options.lease_wait_us = config.take_over_wait_us;
    const bool is_supervised = found.http >= 0;
    if (!is_supervised) found = TRY(take_listeners(config.data)).value_or(Listeners());
    if (found.http < 0) LOG(info, "no server holds data folder '{}'; starting anew", config.data);
  }
  if (found.http >= 0) TRY(use_listener(found.http, config.http));
  if (found.grpc >= 0 && config.grpc.enabled) {
    TRY(use_listener(found.grpc, config.grpc));
  } else if (found.grpc >= 0) {
    ::close(found.grpc);
  }
  return {};
}

Result<ApplicationOptions> make_options(const cli::ServeArguments& arguments) {
  ApplicationOptions options;
  config::Config& config = options.config;
  config.http.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (!arguments.config_file.empty()) {
    TRY(config::read_config_file(arguments.config_file, config));
  }
  if (!arguments.listen.empty()) TRY(config::apply_listen(arguments.listen, config.http));
  // Who asks for a free port for HTTP gets a free one for gRPC, if nothing else is said.
  if (config.http.port == 0 && config.grpc.port == grpc::ServerOptions().port) config.grpc.port = 0;
  if (!arguments.grpc_listen.empty()) {
    TRY(config::apply_grpc_listen(arguments.grpc_listen, config.grpc));
  }
  if (!arguments.data.empty()) config.data = arguments.data;
  if (!arguments.ledger.empty()) config.keep_ledger = arguments.ledger == "on";
  if (arguments.threads > 0) config.http.threads = arguments.threads;
  if (!arguments.token_file.empty()) config.token_file = arguments.token_file;
  TRY(apply_models(arguments.models, config));
  if (!arguments.access_log.empty()) config.http.access_log.path = arguments.access_log;
  if (!arguments.tls_certificate.empty()) config.http.tls.certificate = arguments.tls_certificate;
  if (!arguments.tls_key.empty()) config.http.tls.key = arguments.tls_key;
  options.token = TRY(cli::read_token(config.token_file));
  config.grpc.threads = config.http.threads;
  config.grpc.max_message_bytes = config.http.max_body_bytes;
  config.grpc.max_buffered_bytes = config.http.max_buffered_bytes;
  config.grpc.max_connections = config.http.max_connections;
  config.grpc.tls = config.http.tls;
  TRY(find_listeners(arguments, options));
  if (options.token.empty()) {
    TRY(check_address(config.http.address));
    if (config.grpc.enabled) TRY(check_address(config.grpc.address));
  }
  return options;
}

// Every connection is a file descriptor; the soft limit of a shell is often 1024.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<int> run_serve(const cli::ServeArguments& arguments, const std::string& command_line) {
  set_level(arguments.log_level);
  raise_file_limit();
  ::signal(SIGPIPE, SIG_IGN);
  // Fewer arenas: threads that load and drop models would each keep memory of their own.
  ::mallopt(M_ARENA_MAX, 2);
  ApplicationOptions options = TRY(make_options(arguments));
  options.command_line = command_line;
  const std::string scheme = options.config.http.tls.is_on() ? "https" : "http";
  const std::string& given = options.config.http.address;
  const std::string address = given.find(':') == std::string::npos ? given : "[" + given + "]";
  const std::string grpc_address = options.config.grpc.address;
  const std::string data = options.config.data;
  const auto application = TRY(Application::create(std::move(options)));
  running = application.get();
  ::signal(SIGTERM, handle_stop);
  ::signal(SIGINT, handle_stop);
  ::signal(SIGHUP, handle_reload);
  for (const std::string& notice : application->notices()) LOG(warning, "{}", notice);
  std::string grpc;
  if (const std::uint16_t port = application->grpc_port(); port != 0) {
    grpc = fmt::format(" gRPC on {}:{},", grpc_address, port);
  }
  fmt::print(
      "weir {} serves on {}://{}:{},{} data in {}\n",
      WEIR_VERSION,
      scheme,
      address,
      application->port(),
      grpc,
      data
  );
  std::fflush(stdout);
  give_back_code();
  TRY(application->run());
  running = nullptr;
  return 0;
}

Result<int> run_worker() {
  return table::run_worker(table::worker_socket, ledger::open_segments);
}

Result<int> run_model_host() {
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  return model::run_model_host(model::host_socket);
}

}  // namespace weir::app
