#include "api/api.h"

#include <algorithm>

#include <boost/json.hpp>

#include "api/openapi.h"
#include "base/hash.h"
#include "base/secret.h"
#include "http/respond.h"
#include "http/url.h"

namespace weir::api {

namespace json = boost::json;
using http::Exchange;
using http::Method;
using http::Request;

namespace {

constexpr std::string_view control_prefix = "/api/v1";

}  // namespace

// One row of the API: verb, pattern with '*' for a name, and what answers it.
struct Api::Route {
  Method method;
  std::vector<std::string_view> pattern;
  void (*answer)(Api&, Exchange&, const std::vector<std::string>& names);
};

const std::vector<Api::Route>& Api::routes() {
  using Names = const std::vector<std::string>&;
  static const std::vector<Route> table = {
      {Method::get,
       {"openapi.json"},
       [](Api& api, Exchange& exchange, Names) { api.show_openapi(exchange); }},
      {Method::get,
       {"status"},
       [](Api& api, Exchange& exchange, Names) { api.show_status(exchange); }},
      {Method::get,
       {"endpoints"},
       [](Api& api, Exchange& exchange, Names) { api.list_endpoints(exchange); }},
      {Method::get,
       {"endpoints", "*"},
       [](Api& api, Exchange& exchange, Names names) { api.show_endpoint(exchange, names[0]); }},
      {Method::get,
       {"endpoints", "*", "rollouts", "*"},
       [](Api& api, Exchange& exchange, Names names) {
         api.show_rollout(exchange, names[0], names[1]);
       }},
      {Method::get,
       {"endpoints", "*", "decisions"},
       [](Api& api, Exchange& exchange, Names names) { api.show_decisions(exchange, names[0]); }},
      {Method::post,
       {"endpoints", "*", "deploy"},
       [](Api& api, Exchange& exchange, Names names) { api.deploy(exchange, names[0]); }},
      {Method::post,
       {"endpoints", "*", "feedback"},
       [](Api& api, Exchange& exchange, Names names) { api.take_feedback(exchange, names[0]); }},
      {Method::post,
       {"endpoints", "*", "promote"},
       [](Api& api, Exchange& exchange, Names names) { api.move(exchange, names[0], "promote"); }},
      {Method::post,
       {"endpoints", "*", "pause"},
       [](Api& api, Exchange& exchange, Names names) { api.move(exchange, names[0], "pause"); }},
      {Method::post,
       {"endpoints", "*", "resume"},
       [](Api& api, Exchange& exchange, Names names) { api.move(exchange, names[0], "resume"); }},
      {Method::post,
       {"endpoints", "*", "rollback"},
       [](Api& api, Exchange& exchange, Names names) { api.move(exchange, names[0], "rollback"); }},
      {Method::delete_,
       {"endpoints", "*", "versions", "*"},
       [](Api& api, Exchange& exchange, Names names) {
         api.remove_version(exchange, names[0], names[1]);
       }},
      {Method::post, {"sql"}, [](Api& api, Exchange& exchange, Names) { api.run_sql(exchange); }},
      {Method::post,
       {"exports"},
       [](Api& api, Exchange& exchange, Names) { api.start_export(exchange); }},
      {Method::get,
       {"exports", "*"},
       [](Api& api, Exchange& exchange, Names names) { api.read_export(exchange, names[0]); }},
      {Method::delete_,
       {"exports", "*"},
       [](Api& api, Exchange& exchange, Names names) { api.end_export(exchange, names[0]); }},
      {Method::post,
       {"ledger", "erase"},
       [](Api& api, Exchange& exchange, Names) { api.erase(exchange); }},
      {Method::post,
       {"ledger", "compact"},
       [](Api& api, Exchange& exchange, Names) { api.compact(exchange); }},
  };
  return table;
}

namespace {

// "a/b%20c" → {"a", "b%20c"}; empty parts stay, and match nothing.
std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

// The parts that stand for '*', still encoded; nothing when the path is another one.
std::optional<std::vector<std::string_view>> match(
    const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& parts
) {
  if (pattern.size() != parts.size()) return std::nullopt;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "*") {
      if (parts[i].empty()) return std::nullopt;
      names.push_back(parts[i]);
    } else if (pattern[i] != parts[i]) {
      return std::nullopt;
    }
  }
  return names;
}

bool is_control(const Request& request) {
  return request.path.starts_with(control_prefix);
}

}  // namespace

Api::Api(
    ApiOptions options,
    Sources sources,
    http::V2& v2,
    Backgrounds backgrounds,
    table::Worker& worker,
    Exports& exports
)
    : options_(std::move(options)),
      sources_(sources),
      v2_(v2),
      backgrounds_(backgrounds),
      worker_(worker),
      exports_(exports) {}

Api::~Api() = default;

bool Api::is_authorised(const Request& request) const {
  if (options_.token.empty()) return true;
  if (!is_control(request) && !options_.protect_predictions) return true;
  if (request.path == "/v2/health/live" || request.path == "/v2/health/ready") return true;
  return is_bearer_of(request.header("authorization"), options_.token);
}

std::optional<http::Admission> Api::refuse_too_many(const Request& head) {
  serve::RateLimit& limit = *sources_.rate_limit;
  const std::string_view header = serve::client_header(limit.options());
  std::string_view client = header.empty() ? std::string_view() : head.header(header);
  if (client.empty()) client = head.peer.substr(0, head.peer.rfind(':'));
  const auto wait_ns = limit.wait_ns(client, head.received_ns);
  if (!wait_ns) return std::nullopt;
  rate_limited_.fetch_add(1, std::memory_order_relaxed);
  constexpr std::int64_t second_ns = 1'000'000'000;
  return http::Admission{
      .status = 429,
      .message =
          "too many requests from this client (rate_limit); wait as long as Retry-After says",
      .retry_after_s = (*wait_ns + second_ns - 1) / second_ns};
}

http::Admission Api::admit(const Request& head, std::uint64_t) {
  if (!is_authorised(head)) {
    return {
        .status = 401,
        .message =
            "a token is wanted: send 'Authorization: Bearer TOKEN' (the CLI takes "
            "--token-file or WEIR_TOKEN)"};
  }
  // Control, health and metrics are wanted most when clients send too much.
  if (sources_.rate_limit != nullptr && head.path.starts_with("/v2/models/")) {
    if (const auto refusal = refuse_too_many(head)) return *refusal;
  }
  if (is_control(head)) {
    if (head.path.ends_with("/deploy")) return {.max_body_bytes = options_.max_artifact_bytes};
    if (head.path.ends_with("/feedback")) return {.max_body_bytes = options_.max_feedback_bytes};
    return {.max_body_bytes = options_.max_document_bytes};
  }
  if (head.path.starts_with("/v2/repository/")) {
    return {.max_body_bytes = options_.max_artifact_bytes};
  }
  if (head.method != Method::post) return {};
  if (head.ahead_ns > 0) {
    sources_.admission.count_refused();
    return {
        .status = 503,
        .message =
            "the requests ahead of this one take longer than is allowed (max_backlog); try again "
            "later"};
  }
  if (sources_.admission.is_full()) {
    return {.status = 503, .message = "the server is busy (max_in_flight); try again later"};
  }
  return {};
}

void Api::handle(Exchange& exchange) {
  const Request& request = exchange.request();
  const bool is_read = request.method == Method::get || request.method == Method::head;
  if ((request.path == "/metrics" || request.path == "/") && !is_read) {
    http::respond_not_allowed(exchange, "GET, HEAD");
  } else if (request.path == "*") {
    http::respond_not_allowed(exchange, "GET, HEAD, POST, PUT, DELETE");  // OPTIONS of the server.
  } else if (request.path.starts_with("/v2")) {
    v2_.handle(exchange);
  } else if (is_control(request)) {
    handle_control(exchange);
  } else if (request.path == "/metrics") {
    exchange.respond(200, metrics::Registry::content_type, sources_.registry.text());
  } else if (request.path == "/") {
    exchange.respond(
        200,
        "text/plain; charset=utf-8",
        "This is weir " WEIR_VERSION
        ".\nPredictions: POST /v2/models/NAME/infer\nControl: /api/v1 (GET "
        "/api/v1/openapi.json)\nMetrics: /metrics\n"
    );
  } else {
    http::respond_error(
        exchange,
        {Code::not_found,
         fmt::format("there is nothing at '{}'; see /v2, /api/v1 and /metrics", request.path)}
    );
  }
}

void Api::on_lost(Exchange& exchange) {
  v2_.on_lost(exchange);
}

void Api::handle_control(Exchange& exchange) {
  const Request& request = exchange.request();
  std::string_view path = request.path.substr(control_prefix.size());
  if (path.starts_with('/')) path.remove_prefix(1);
  const std::vector<std::string_view> parts = split_path(path);
  std::string allowed;
  for (const Route& route : routes()) {
    const auto encoded = match(route.pattern, parts);
    if (!encoded) continue;
    if (route.method != request.method &&
        !(route.method == Method::get && request.method == Method::head)) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(to_string(route.method));
      if (route.method == Method::get) allowed += ", HEAD";
      continue;
    }
    std::vector<std::string> names;
    for (const std::string_view name : *encoded) {
      auto decoded = http::percent_decode(name);
      if (!decoded) {
        http::respond_error(exchange, decoded.error());
        return;
      }
      names.push_back(*std::move(decoded));
    }
    route.answer(*this, exchange, names);
    return;
  }
  if (allowed.empty()) {
    http::respond_error(
        exchange,
        {Code::not_found,
         fmt::format(
             "there is nothing at '{}'; GET /api/v1/openapi.json describes the API", request.path
         )}
    );
    return;
  }
  http::respond_not_allowed(exchange, allowed);
}

void Api::show_openapi(Exchange& exchange) {
  http::respond_json(exchange, 200, openapi_document());
}

void Api::show_status(Exchange& exchange) {
  http::respond_json(exchange, 200, json::serialize(server_status(sources_, options_.started_at)));
}

std::vector<std::string> Api::endpoint_names() const {
  std::vector<std::string> names;
  for (const auto& view : sources_.controller.list()) names.push_back(view.state.name);
  return names;
}

}  // namespace weir::api
