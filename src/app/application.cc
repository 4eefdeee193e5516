#include "app/application.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/api.h"
#include "api/exports.h"
#include "api/metrics.h"
#include "api/triton_metrics.h"
#include "app/handover.h"
#include "base/log.h"
#include "events/metrics.h"
#include "grpc/metrics.h"
#include "grpc/server.h"
#include "http/v2.h"
#include "model/catalog.h"
#include "serve/crash_note.h"
#include "serve/predictor.h"
#include "store/lease.h"
#include "store/store.h"

namespace weir::app {

namespace fs = std::filesystem;

namespace {

constexpr int tick_ms = 1000;
constexpr int lease_poll_ms = 10;

// Why the server stops waiting.
enum class End : std::uint8_t { stopped, handed_over, grpc_left, time_is_up };

// The lease of the data folder, which the server before this one may hold for a little longer.
Result<store::Lease> acquire_lease(const ApplicationOptions& options) {
  const std::int64_t until_ns = monotonic_ns() + options.lease_wait_us * 1000;
  while (true) {
    auto lease = store::acquire_lease(options.config.data, options.command_line);
    const bool may_wait = !lease && lease.error().code == Code::conflict;
    if (!may_wait || monotonic_ns() >= until_ns) return lease;
    ::poll(nullptr, 0, lease_poll_ms);
  }
}

void set_event(int descriptor) {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(descriptor, &one, sizeof(one));
  static_cast<void>(written);  // The event is already set when this fails.
}

void clear_event(int descriptor) {
  std::uint64_t count = 0;
  const ssize_t got = ::read(descriptor, &count, sizeof(count));
  static_cast<void>(got);  // It was not set when this fails.
}

table::WorkerOptions with_temp_folder(table::WorkerOptions options, const std::string& data) {
  if (options.temp_folder.empty()) options.temp_folder = fs::absolute(fs::path(data) / "temp");
  return options;
}

// Of two threads, one would read segments and the other one mostly spin while it waits for rows: a
// third more CPU for less than a third of the time.
table::WorkerOptions with_one_thread(table::WorkerOptions options) {
  options.threads = 1;
  return options;
}

}  // namespace

// In the order in which they are made; destroyed in the opposite one.
struct Application::Parts {
  explicit Parts(ApplicationOptions given, store::Lease held)
      : options(std::move(given)),
        config(options.config),
        lease(std::move(held)),
        compaction_worker(with_one_thread(with_temp_folder(config.worker, config.data))),
        query_worker(with_temp_folder(config.worker, config.data)),
        admission(config.admission),
        pool(config.pool),
        work_queue(config.background),
        move_queue(config.background),
        query_queue(config.background),
        background(work_queue),
        moves(move_queue),
        queries(query_queue),
        exports({.folder = fs::absolute(fs::path(config.data) / "exports").string()}) {}

  ApplicationOptions options;
  const config::Config& config;
  // Made last, destroyed last: its loops drop what is posted to them too late.
  std::unique_ptr<http::Server> server;
  std::unique_ptr<grpc::Server> grpc_server;  // Null: switched off.
  store::Lease lease;
  std::unique_ptr<store::Store> store;
  std::optional<model::Catalog> catalog;
  metrics::Registry registry;
  table::Worker compaction_worker;
  table::Worker query_worker;
  std::unique_ptr<ledger::Ledger> ledger;
  ledger::Snapshot found;  // What the ledger held at the start.
  std::unique_ptr<control::FeedbackDesk> feedback;
  serve::Routes routes;
  serve::Admission admission;
  serve::Pool pool;
  std::unique_ptr<serve::RateLimit> rate_limit;
  serve::Comparison comparison;
  std::unique_ptr<events::Sinks> event_sinks;  // Null without any; the recorder fills it.
  std::unique_ptr<serve::Recorder> recorder;
  std::unique_ptr<serve::Shadows> shadows;
  std::unique_ptr<serve::Predictor> predictor;
  std::unique_ptr<control::Controller> controller;
  WorkQueue work_queue;
  WorkQueue move_queue;
  WorkQueue query_queue;
  http::Background background;
  http::Background moves;
  http::Background queries;
  api::Exports exports;
  std::atomic<bool> is_accepting{true};
  std::unique_ptr<http::V2> v2;
  std::unique_ptr<api::Api> api;
  std::vector<metrics::Registry::Callback> callbacks;
  std::vector<std::string> notices;
  int stop_event = -1;
  int reload_event = -1;
  std::optional<Handover> handover;
  bool is_succeeded = false;  // There is a successor, who waits until this server has ended.

  ~Parts() {
    if (stop_event >= 0) ::close(stop_event);
    if (reload_event >= 0) ::close(reload_event);
  }

  Result<void> open_storage();
  Result<void> open_models();
  Result<void> open_surface();
  Result<void> open_grpc();
  void refill_feedback();
  void stop_servers();
  Result<void> let_grpc_leave();
  Result<End> wait(std::int64_t most_us);
  bool give_listeners();
  void reload(bool is_asked);
};

Result<void> Application::Parts::open_storage() {
  const fs::path data = fs::absolute(config.data);
  store = TRY(store::open_sqlite((data / "store.sqlite").string()));
  catalog = TRY(model::Catalog::open(
      {.folder = (data / "artifacts").string(),
       .max_artifact_bytes = config.controller.session.max_artifact_bytes}
  ));
  if (config.keep_ledger) {
    ledger::Options ledger_options = config.ledger;
    ledger_options.folder = (data / "ledger").string();
    ledger = TRY(ledger::Ledger::open(ledger_options, system_files(), &compaction_worker));
    found = ledger->snapshot();
  }
  feedback = std::make_unique<control::FeedbackDesk>(config.feedback, ledger.get());
  std::vector<serve::BatchObserver*> observers;
  if (ledger) observers.push_back(feedback.get());
  if (!config.events.empty()) {
    event_sinks = std::make_unique<events::Sinks>(config.events);
    observers.push_back(event_sinks.get());
  }
  recorder = std::make_unique<serve::Recorder>(config.recorder, ledger.get(), observers);
  shadows = std::make_unique<serve::Shadows>(config.shadows, *recorder, comparison);
  predictor = std::make_unique<serve::Predictor>(admission, routes, *recorder, *shadows);
  return {};
}

Result<void> Application::Parts::open_models() {
  controller = std::make_unique<control::Controller>(
      config.controller, *store, *catalog, routes, registry, &pool
  );
  const std::string note_path = (fs::absolute(config.data) / "crash-note").string();
  const auto note = TRY(serve::take_crash_note(note_path));
  TRY(controller->open());
  if (note) {
    notices.push_back(controller->recover_from_crash(note->endpoint, note->version));
    LOG(error, "{}", notices.back());
  }
  TRY(serve::note_crashes(note_path));
  for (const auto& [name, path] : config.models) {
    auto notice = controller->ensure(name, path);
    if (!notice) {
      return fail(notice.error().code, "--model {}={}: {}", name, path, notice.error().message);
    }
    if (!notice->empty()) notices.push_back(*std::move(notice));
  }
  return {};
}

Result<void> Application::Parts::open_surface() {
  if (config.rate_limit.per_second > 0) {
    rate_limit = std::make_unique<serve::RateLimit>(config.rate_limit);
  }
  v2 = std::make_unique<http::V2>(
      http::V2Options{.decode = config.decode, .is_accepting = &is_accepting},
      *predictor,
      routes,
      *controller,
      background
  );
  const api::Sources sources{
      .controller = *controller,
      .feedback = *feedback,
      .ledger = ledger.get(),
      .routes = routes,
      .admission = admission,
      .recorder = *recorder,
      .shadows = *shadows,
      .comparison = comparison,
      .registry = registry,
      .rate_limit = rate_limit.get(),
  };
  api::ApiOptions api_options{
      .token = options.token,
      .protect_predictions = config.protect_predictions,
      .max_artifact_bytes = config.controller.session.max_artifact_bytes,
      .feedback = config.feedback,
      .started_at = now_us(),
  };
  api = std::make_unique<api::Api>(
      std::move(api_options),
      sources,
      *v2,
      api::Backgrounds{.moves = moves, .queries = queries, .others = background},
      query_worker,
      exports
  );
  server = TRY(http::Server::create(config.http, *api));
  if (config.grpc.enabled) TRY(open_grpc());
  callbacks = api::show_metrics(registry, sources, *server, *api);
  if (grpc_server) {
    for (auto& shown : grpc::show_metrics(registry, *grpc_server)) {
      callbacks.push_back(std::move(shown));
    }
  }
  if (event_sinks) {
    for (auto& shown : events::show_metrics(registry, *event_sinks)) {
      callbacks.push_back(std::move(shown));
    }
  }
  if (config.triton_metrics) {
    for (auto& shown : api::show_triton_metrics(registry, routes)) {
      callbacks.push_back(std::move(shown));
    }
  }
  stop_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  reload_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event < 0 || reload_event < 0) return tl::unexpected(system_error("make", "an event"));
  handover = TRY(Handover::open(config.data));
  return {};
}

Result<void> Application::Parts::open_grpc() {
  grpc_server = TRY(grpc::Server::create(
      config.grpc,
      {.predictor = *predictor,
       .routes = routes,
       .controller = *controller,
       .background = work_queue,
       .decode = config.decode,
       .token = config.protect_predictions ? options.token : std::string(),
       .rate_limit = rate_limit.get(),
       .access_log = server->access_log()}
  ));
  return {};
}

void Application::Parts::refill_feedback() {
  std::vector<std::string> names;
  for (const control::EndpointView& endpoint : controller->list()) {
    names.push_back(endpoint.state.name);
  }
  feedback->refill(std::exchange(found, {}), std::move(names), compaction_worker);
}

// Both at once, so that they share the time that there is for requests in flight.
void Application::Parts::stop_servers() {
  is_accepting = false;
  std::thread other([this] {
    if (grpc_server) grpc_server->stop(config.drain_us);
  });
  if (server) server->stop(config.drain_us);
  other.join();
}

Application::Application(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Application>> Application::create(ApplicationOptions options) {
  auto lease = TRY(acquire_lease(options));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(lease));
  TRY(parts->open_storage());
  TRY(parts->open_models());
  TRY(parts->open_surface());
  return std::unique_ptr<Application>(new Application(std::move(parts)));
}

Application::~Application() {
  parts_->stop_servers();
}

std::uint16_t Application::port() const {
  return parts_->server->port();
}
std::uint16_t Application::grpc_port() const {
  return parts_->grpc_server ? parts_->grpc_server->port() : 0;
}
const std::vector<std::string>& Application::notices() const {
  return parts_->notices;
}

Result<void> Application::run() {
  TRY(parts_->server->run());
  if (parts_->grpc_server) parts_->grpc_server->run();
  parts_->refill_feedback();
  const End end = TRY(parts_->wait(INT64_MAX));
  if (end == End::handed_over && parts_->grpc_server) TRY(parts_->let_grpc_leave());
  parts_->is_accepting = false;
  if (end == End::stopped && parts_->grpc_server) {
    parts_->grpc_server->say_not_ready();
    if (parts_->config.drain_delay_us > 0) parts_->grpc_server->retire();
  }
  parts_->server->retire();
  // Whoever balances load sees that this server is not ready and sends no more; who takes over is
  // there already.
  if (end == End::stopped) TRY(parts_->wait(parts_->config.drain_delay_us));
  parts_->stop_servers();
  return {};
}

void Application::stop() {
  set_event(parts_->stop_event);
}

void Application::reload() {
  set_event(parts_->reload_event);
}

bool Application::Parts::give_listeners() {
  return handover->give(
      {.http = server->listener(), .grpc = grpc_server ? grpc_server->listener() : -1}
  );
}

// Nothing tells a client of gRPC that an answer is the last one of its connection, so all goes on
// until every connection has reached its age.
Result<void> Application::Parts::let_grpc_leave() {
  if (config.grpc.connection_age_us == 0) return {};
  grpc_server->retire();
  // The library adds up to a tenth; a call in flight may take its time.
  const std::int64_t age_us = config.grpc.connection_age_us * 11 / 10;
  const End end = TRY(wait(age_us + config.drain_us));
  if (end == End::time_is_up) LOG(warning, "not all connections of gRPC have gone; they are cut");
  return {};
}

// Ticks until somebody says stop or takes over, but not longer than this.
Result<End> Application::Parts::wait(std::int64_t most_us) {
  const std::int64_t begin_ns = monotonic_ns();
  while (true) {
    const std::int64_t left_us = most_us - (monotonic_ns() - begin_ns) / 1000;
    if (left_us <= 0) return End::time_is_up;
    pollfd waiting[] = {
        {.fd = stop_event, .events = POLLIN, .revents = 0},
        {.fd = reload_event, .events = POLLIN, .revents = 0},
        {.fd = is_succeeded ? -1 : handover->descriptor(), .events = POLLIN, .revents = 0},
        {.fd = is_succeeded && grpc_server ? grpc_server->left_descriptor() : -1,
         .events = POLLIN,
         .revents = 0},
    };
    const auto wait_ms = std::min<std::int64_t>(left_us / 1000 + 1, tick_ms);
    const int ready = ::poll(waiting, std::size(waiting), static_cast<int>(wait_ms));
    if (ready < 0 && errno != EINTR) return tl::unexpected(system_error("wait for", "the end"));
    if (ready > 0 && waiting[0].revents != 0) {
      clear_event(stop_event);
      return End::stopped;
    }
    if (ready > 0 && waiting[2].revents != 0 && give_listeners()) {
      LOG(info, "another server takes over the port");
      is_succeeded = true;
      return End::handed_over;
    }
    if (ready > 0 && waiting[3].revents != 0) return End::grpc_left;
    if (ready > 0 && waiting[1].revents != 0) clear_event(reload_event);
    reload(ready > 0 && waiting[1].revents != 0);
    controller->tick(now_us());
  }
}

// Certificates are also found by themselves when their files change.
void Application::Parts::reload(bool is_asked) {
  if (const auto reloaded = server->reload_certificate(!is_asked); !reloaded) {
    LOG(error, "the certificate stays the old one: {}", reloaded.error().message);
  }
  if (grpc_server) {
    if (const auto reloaded = grpc_server->reload_certificate(!is_asked); !reloaded) {
      LOG(error, "the certificate of gRPC stays the old one: {}", reloaded.error().message);
    }
  }
  if (!is_asked) return;
  if (const auto reopened = server->reopen_access_log(); !reopened) {
    LOG(error, "the access log stays the old one: {}", reopened.error().message);
  }
}

}  // namespace weir::app
