#include "config/config.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "config/fields.h"
#include "rollout/automation.h"
#include "rollout/plan.h"

namespace weir::config {

using control::EndpointSettings;
using rollout::Node;

namespace {

constexpr std::uint64_t many = 1'000'000'000;

Result<void> read_access_log(const Node& node, http::AccessLogOptions& options) {
  Fields fields(node, "access_log");
  options.path = "-";
  fields.text("path", options.path);
  fields.number("sample", options.sample, 0, 1);
  fields.bytes("queue_bytes", options.queue_max_bytes);
  return fields.finish();
}

// `by: address`, `by: key`, or `header: NAME`.
Result<void> read_rate_limit(const Node& node, serve::RateLimitOptions& options) {
  using By = serve::RateLimitOptions::By;
  constexpr double most = 1e9;
  Fields fields(node, "rate_limit");
  std::string by;
  fields.text("by", by);
  fields.text("header", options.header);
  fields.number("per_second", options.per_second, 1e-6, most);
  options.burst = std::max(options.per_second, 1.0);
  fields.number("burst", options.burst, 1, most);
  fields.count("max_clients", options.max_clients, 1, many);
  if (options.per_second == 0) fields.fault(node, "'rate_limit' wants 'per_second'");
  if (!by.empty() && by != "address" && by != "key") {
    fields.fault(node, fmt::format("'by' is address or key, not '{}'; or give 'header'", by));
  }
  if (!by.empty() && !options.header.empty()) {
    fields.fault(node, "'rate_limit' has one of 'by' and 'header'");
  }
  options.by = by == "key" ? By::key : options.header.empty() ? By::address : By::header;
  return fields.finish();
}

Result<void> read_tls(const Node& node, net::TlsFiles& files) {
  Fields fields(node, "tls");
  fields.text("certificate", files.certificate);
  fields.text("key", files.key);
  if (files.certificate.empty() || files.key.empty()) {
    fields.fault(node, "'tls' wants 'certificate' and 'key', two PEM files");
  }
  return fields.finish();
}

// The keys that are about clients and connections.
Result<void> read_http(Fields& fields, Config& config) {
  http::ServerOptions& http = config.http;
  fields.count("threads", http.threads, 1, 1024);
  fields.count("max_connections", http.max_connections, 1, many);
  fields.bytes("max_body_bytes", http.max_body_bytes);
  fields.bytes("max_buffered_bytes", http.max_buffered_bytes);
  fields.bytes("max_head_bytes", http.max_head_bytes);
  fields.bytes("compress_min_bytes", http.compress_min_bytes);
  fields.duration_us("head_timeout", http.head_timeout_us);
  fields.duration_us("body_timeout", http.body_timeout_us);
  fields.duration_us("idle_timeout", http.idle_timeout_us);
  fields.duration_us("write_timeout", http.write_timeout_us);
  fields.duration_us("grpc_connection_age", config.grpc.connection_age_us);
  fields.duration_us("drain_delay", config.drain_delay_us);
  fields.duration_us("drain", config.drain_us);
  fields.duration_us("take_over_wait", config.take_over_wait_us);
  fields.texts("cors_origins", http.cors.origins);
  if (const Node* tls = fields.node("tls")) TRY(read_tls(*tls, http.tls));
  if (const Node* log = fields.node("access_log")) TRY(read_access_log(*log, http.access_log));
  if (const Node* limit = fields.node("rate_limit"))
    TRY(read_rate_limit(*limit, config.rate_limit));
  return {};
}

Result<void> read_server(const Node& node, Config& config) {
  Fields fields(node, "server");
  std::string listen;
  std::string grpc_listen;
  fields.text("listen", listen);
  fields.text("grpc_listen", grpc_listen);
  fields.text("data", config.data);
  fields.text("token_file", config.token_file);
  fields.flag("protect_predictions", config.protect_predictions);
  fields.flag("triton_metrics", config.triton_metrics);
  TRY(read_http(fields, config));
  fields.count("max_in_flight", config.admission.max_in_flight, 1, many);
  fields.duration_us("max_backlog", config.http.arrivals.max_backlog_us);
  fields.count("max_concurrency", config.controller.version.max_concurrency, 1, many);
  fields.duration_us("queue_wait", config.controller.version.queue.max_wait_us);
  fields.duration_us("slow_run", config.pool.slow_us);
  fields.count("pool_threads", config.pool.threads, 1, 1024);
  fields.count("onnx_threads", config.controller.session.onnx_threads, 1, 1024);
  fields.count("shadow_threads", config.shadows.threads, 1, 1024);
  fields.count("shadow_queue_requests", config.shadows.queue_max_requests, 1, many);
  fields.bytes("shadow_queue_bytes", config.shadows.queue_max_bytes);
  fields.duration_us("keep_warm", config.controller.keep_warm_us);
  fields.duration_us("load_retry", config.controller.load_retry_us);
  fields.text("onnx_library", config.controller.session.onnx_library);
  fields.bytes("max_artifact_bytes", config.controller.session.max_artifact_bytes);
  TRY(fields.finish());
  if (!listen.empty()) TRY(apply_listen(listen, config.http));
  if (!grpc_listen.empty()) TRY(apply_grpc_listen(grpc_listen, config.grpc));
  return {};
}

Result<void> read_ledger(const Node& node, Config& config) {
  Fields fields(node, "ledger");
  fields.flag("enabled", config.keep_ledger);
  fields.texts("metadata", config.controller.metadata);
  fields.bytes("queue_bytes", config.recorder.queue_max_bytes);
  fields.duration_us("flush_interval", config.recorder.flush_interval_us);
  fields.duration_us("sync_interval", config.ledger.sync_interval_us);
  fields.bytes("segment_bytes", config.ledger.segment_max_bytes);
  fields.duration_us("segment_age", config.ledger.segment_max_age_us);
  fields.duration_us("retention", config.ledger.retention_us);
  fields.bytes("retention_bytes", config.ledger.retention_max_bytes);
  fields.bytes("min_free_bytes", config.ledger.min_free_bytes);
  fields.count("recent_records", config.feedback.index.recent_records, 1, many);
  fields.bytes("worker_memory_bytes", config.worker.memory_bytes);
  fields.count("worker_threads", config.worker.threads, 1, 1024);
  fields.duration_us("query_timeout", config.worker.timeout_us);
  fields.count("query_max_rows", config.worker.max_result_rows, 1, many);
  fields.text("duckdb_library", config.worker.duckdb_library);
  return fields.finish();
}

// `routing_key: {header: x}`, `{cookie: x}` or `{input: x}`.
Result<void> read_routing_key(const Node& node, serve::RoutingKey& key) {
  using From = serve::RoutingKey::From;
  Fields fields(node, "routing_key");
  std::string header;
  std::string cookie;
  std::string input;
  fields.text("header", header);
  fields.text("cookie", cookie);
  fields.text("input", input);
  const int given = !header.empty() + !cookie.empty() + !input.empty();
  if (given != 1) fields.fault(node, "'routing_key' has one of header, cookie and input");
  TRY(fields.finish());
  if (!header.empty()) key = {From::header, header};
  if (!cookie.empty()) key = {From::cookie, cookie};
  if (!input.empty()) key = {From::input, input};
  return {};
}

Result<void> read_limits(const Node& node, serve::VersionLimits& limits) {
  Fields fields(node, "limits");
  fields.count("concurrency", limits.max_concurrency, 1, many);
  fields.count("running", limits.queue.max_running, 1, 1024);
  fields.count("queue_requests", limits.queue.max_requests, 1, many);
  fields.count("queue_rows", limits.queue.max_rows, 1, many);
  fields.duration_us("queue_wait", limits.queue.max_wait_us);
  fields.duration_us("deadline", limits.deadline_us);
  fields.bytes("memory_bytes", limits.max_memory_bytes);
  return fields.finish();
}

// `batching: off`, `auto` or `{max_rows: 64, max_delay: 2ms}`.
Result<void> read_batching(const Node& node, serve::BatchingOptions& batching) {
  using Mode = serve::BatchingOptions::Mode;
  if (node.is_scalar()) {
    if (node.text == "off" || node.text == "auto") {
      batching.mode = node.text == "off" ? Mode::off : Mode::learn;
      return {};
    }
    return fail(
        Code::invalid_argument,
        "{}: 'batching' is off, auto or {{max_rows: 64, max_delay: 2ms}}, not '{}'",
        node.where,
        node.text
    );
  }
  Fields fields(node, "batching");
  batching.mode = Mode::fixed;
  fields.count("max_rows", batching.max_rows, 1, many);
  fields.duration_us("max_delay", batching.max_delay_us);
  return fields.finish();
}

// `events: {sink: http://…, mode: all}`: CloudEvents of requests and answers.
Result<void> read_events(const Node& node, events::Options& options) {
  using Mode = events::Options::Mode;
  Fields fields(node, "events");
  std::string sink;
  std::string mode;
  fields.text("sink", sink);
  fields.text("mode", mode);
  fields.text("source", options.source);
  fields.text("namespace", options.name_space);
  fields.count("queue_records", options.queue_max_records, 1, many);
  fields.bytes("queue_bytes", options.queue_max_bytes);
  fields.duration_us("timeout", options.timeout_us);
  fields.duration_us("max_age", options.max_age_us);
  if (sink.empty()) fields.fault(node, "'events' needs 'sink', the URL that events are sent to");
  if (mode == "request") {
    options.mode = Mode::request;
  } else if (mode == "response") {
    options.mode = Mode::response;
  } else if (!mode.empty() && mode != "all") {
    fields.fault(node, fmt::format("'mode' is all, request or response, not '{}'", mode));
  }
  TRY(fields.finish());
  const Result<net::Url> url = net::parse_url(sink);
  if (!url) return fail(url.error().code, "{}: {}", node.where, url.error().message);
  options.url = *url;
  return {};
}

Result<void> read_endpoint(const Node& node, Config& config) {
  Fields fields(node, "endpoint");
  EndpointSettings settings;
  serve::VersionLimits limits = config.controller.version;
  std::string model;
  std::string automation;
  std::string durability;
  fields.text("model", model);
  fields.text("automation", automation);
  fields.text("durability", durability);
  const Node* routing_key = fields.node("routing_key");
  const Node* plan = fields.node("rollout");
  const Node* limits_node = fields.node("limits");
  const Node* batching = fields.node("batching");
  const Node* events = fields.node("events");
  if (!durability.empty() && durability != "interval" && durability != "always") {
    fields.fault(node, fmt::format("'durability' is interval or always, not '{}'", durability));
  }
  TRY(fields.finish());
  settings.durability_always = durability == "always";
  if (routing_key != nullptr) TRY(read_routing_key(*routing_key, settings.routing_key));
  if (limits_node != nullptr) TRY(read_limits(*limits_node, limits));
  if (batching != nullptr) TRY(read_batching(*batching, limits.batching));
  settings.limits = limits;
  if (events != nullptr) TRY(read_events(*events, config.events[node.key]));
  if (plan != nullptr) settings.plan = TRY(rollout::parse_plan(*plan));
  if (!automation.empty()) {
    const rollout::Automation dial = TRY(rollout::parse_automation(automation));
    if (dial != rollout::Automation::full) {
      return fail(
          Code::invalid_argument,
          "{}: automation '{}' needs the review queue, which this version does not have; 'full' is "
          "what it does",
          node.where,
          automation
      );
    }
  }
  if (!model.empty()) config.models.emplace_back(node.key, model);
  config.controller.endpoints[node.key] = std::move(settings);
  return {};
}

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

Result<Address> parse_address(std::string_view listen, int usual_port) {
  const std::size_t colon = listen.rfind(':');
  std::uint16_t port = 0;
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view() : listen.substr(colon + 1);
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || rest != digits.data() + digits.size()) {
    return fail(
        Code::invalid_argument, "'{}' is not HOST:PORT, such as 127.0.0.1:{}", listen, usual_port
    );
  }
  std::string_view host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return Address{host.empty() ? "0.0.0.0" : std::string(host), port};
}

}  // namespace

Result<void> apply_listen(std::string_view listen, http::ServerOptions& options) {
  Address address = TRY(parse_address(listen, 8080));
  options.address = std::move(address.host);
  options.port = address.port;
  return {};
}

Result<void> apply_grpc_listen(std::string_view listen, grpc::ServerOptions& options) {
  options.enabled = listen != "off";
  if (!options.enabled) return {};
  Address address = TRY(parse_address(listen, 8081));
  options.address = std::move(address.host);
  options.port = address.port;
  return {};
}

Result<void> read_config(std::string_view yaml, std::string_view file, Config& config) {
  const Node document = TRY(rollout::read_yaml(yaml, file));
  if (document.is_null()) return {};
  if (!document.is_map()) {
    return fail(
        Code::invalid_argument, "{}: the file has the keys server, ledger and endpoints", file
    );
  }
  TRY(rollout::refuse_unknown_keys(document, "the configuration", {"server", "ledger", "endpoints"})
  );
  if (const Node* node = document.find("server")) TRY(read_server(*node, config));
  if (const Node* node = document.find("ledger")) TRY(read_ledger(*node, config));
  if (const Node* node = document.find("endpoints"); node != nullptr && !node->is_null()) {
    if (!node->is_map()) {
      return fail(
          Code::invalid_argument, "{}: 'endpoints' is a map from names to settings", node->where
      );
    }
    for (const Node& endpoint : node->items) TRY(read_endpoint(endpoint, config));
  }
  return {};
}

Result<void> read_config_file(const std::string& path, Config& config) {
  const std::string yaml = TRY(system_files().read(path));
  return read_config(yaml, path, config);
}

}  // namespace weir::config
