#include "http/v2.h"

#include <algorithm>
#include <array>

#include "http/predict_call.h"
#include "http/respond.h"
#include "http/url.h"
#include "http/v2_views.h"
#include "protocol/v2_documents.h"

namespace weir::http {
namespace {

constexpr std::string_view models_prefix = "/v2/models/";

// Takes `prefix` off the front of the text when it stands there.
bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

void respond_not_found(Exchange& exchange) {
  respond_error(
      exchange, {Code::not_found, fmt::format("there is nothing at '{}'", exchange.request().path)}
  );
}

void respond_document(Exchange& exchange, const Result<std::string>& document) {
  if (document) {
    respond_json(exchange, 200, *document);
  } else {
    respond_error(exchange, document.error());
  }
}

// False after a 405 that names the right verb.
bool check_method(Exchange& exchange, Method wanted) {
  const Method method = exchange.request().method;
  if (method == wanted || (method == Method::head && wanted == Method::get)) return true;
  respond_not_allowed(exchange, wanted == Method::get ? "GET, HEAD" : "POST");
  return false;
}

}  // namespace

std::optional<ModelPath> parse_model_path(std::string_view path) {
  if (!take_prefix(path, models_prefix) || path.empty()) return std::nullopt;
  ModelPath parsed;
  constexpr std::array<std::string_view, 4> operations = {"infer", "ready", "config", "stats"};
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && slash > 0) {
    const std::string_view last = path.substr(slash + 1);
    if (std::ranges::find(operations, last) != operations.end()) {
      parsed.operation = last;
      path = path.substr(0, slash);
    }
  }
  constexpr std::string_view versions = "/versions/";
  const std::size_t at = path.rfind(versions);
  if (at != std::string_view::npos && at > 0) {
    const std::string_view version = path.substr(at + versions.size());
    if (version.empty() || version.find('/') != std::string_view::npos) return std::nullopt;
    parsed.version = version;
    path = path.substr(0, at);
  }
  parsed.name = path;
  return parsed;
}

V2::V2(
    V2Options options,
    serve::Predictor& predictor,
    serve::Routes& routes,
    control::Controller& controller,
    Background& background
)
    : options_(options),
      predictor_(predictor),
      routes_(routes),
      controller_(controller),
      background_(background) {}

void V2::handle(Exchange& exchange) {
  std::string_view path = exchange.request().path;
  if (path == "/v2/models/stats") {
    if (!check_method(exchange, Method::get)) return;
    respond_document(exchange, model_document(routes_, {}, {}, "stats"));
    return;
  }
  if (path.starts_with(models_prefix)) {
    const auto parsed = parse_model_path(path);
    if (!parsed) {
      respond_not_found(exchange);
    } else if (parsed->operation == "infer") {
      infer(exchange, *parsed);
    } else {
      handle_model(exchange, *parsed);
    }
    return;
  }
  if (take_prefix(path, "/v2/repository/")) {
    handle_repository(exchange, path);
  } else if (take_prefix(path, "/v2")) {
    handle_server(exchange, path);
  } else {
    respond_not_found(exchange);
  }
}

void V2::infer(Exchange& exchange, const ModelPath& path) {
  if (!check_method(exchange, Method::post)) return;
  PredictCall& call = PredictCall::of(exchange, predictor_, options_.decode);
  if (const Result<void> begun = call.begin(exchange, path.name, path.version); !begun) {
    respond_error(exchange, begun.error());
    return;
  }
  predictor_.start(call);
}

void V2::on_lost(Exchange& exchange) {
  if (PredictCall* call = PredictCall::in(exchange)) predictor_.abandon(*call);
}

void V2::handle_server(Exchange& exchange, std::string_view rest) {
  if (rest.empty() || rest == "/") {
    if (!check_method(exchange, Method::get)) return;
    respond_json(exchange, 200, protocol::encode_server_metadata(control::server_metadata()));
    return;
  }
  if (rest != "/health/live" && rest != "/health/ready") {
    respond_not_found(exchange);
    return;
  }
  if (!check_method(exchange, Method::get)) return;
  const bool is_ready = options_.is_accepting == nullptr || *options_.is_accepting;
  const bool is_asked_live = rest == "/health/live";
  respond_json(
      exchange, is_asked_live || is_ready ? 200 : 503, protocol::encode_health(true, is_ready)
  );
}

void V2::handle_model(Exchange& exchange, const ModelPath& path) {
  if (!check_method(exchange, Method::get)) return;
  const auto name = percent_decode(path.name);
  if (!name) {
    respond_error(exchange, name.error());
    return;
  }
  respond_document(exchange, model_document(routes_, *name, path.version, path.operation));
}

void V2::handle_repository(Exchange& exchange, std::string_view rest) {
  if (rest == "index") {
    if (check_method(exchange, Method::post)) index(exchange);
    return;
  }
  constexpr std::string_view load_suffix = "/load";
  constexpr std::string_view unload_suffix = "/unload";
  const bool is_unload = rest.ends_with(unload_suffix);
  if (!take_prefix(rest, "models/") || !(is_unload || rest.ends_with(load_suffix))) {
    respond_not_found(exchange);
    return;
  }
  if (!check_method(exchange, Method::post)) return;
  rest.remove_suffix(is_unload ? unload_suffix.size() : load_suffix.size());
  auto name = percent_decode(rest);
  if (!name) {
    respond_error(exchange, name.error());
  } else if (is_unload) {
    unload(exchange, *std::move(name));
  } else {
    load(exchange, *std::move(name));
  }
}

Result<void> V2::load(const std::string& name, const protocol::RepositoryRequest& request) {
  return control::load_model(controller_, name, TRY(decode_files(request)));
}

void V2::index(Exchange& exchange) {
  const auto ready_only = protocol::decode_repository_index(exchange.request().body);
  if (!ready_only) {
    respond_error(exchange, ready_only.error());
    return;
  }
  const auto endpoints = controller_.list();
  const auto entries = control::repository_index(endpoints, *ready_only);
  respond_json(exchange, 200, protocol::encode_repository_index(entries));
}

void V2::load(Exchange& exchange, std::string name) {
  auto request = protocol::decode_repository_request(exchange.request().body);
  if (!request) {
    respond_error(exchange, request.error());
    return;
  }
  background_.run(
      exchange,
      [this, name = std::move(name), request = *std::move(request)]() -> Background::Answer {
        Result<void> loaded = load(name, request);
        return [loaded = std::move(loaded)](Exchange& answered) {
          if (!loaded) {
            respond_error(answered, loaded.error());
          } else {
            respond_json(answered, 200, "{}");
          }
        };
      }
  );
}

void V2::unload(Exchange& exchange, std::string name) {
  const auto request = protocol::decode_repository_request(exchange.request().body);
  if (!request) {
    respond_error(exchange, request.error());
    return;
  }
  background_.run(exchange, [this, name = std::move(name)]() -> Background::Answer {
    Result<void> unloaded = controller_.unload(name);
    return [unloaded = std::move(unloaded)](Exchange& answered) {
      if (!unloaded) {
        respond_error(answered, unloaded.error());
      } else {
        respond_json(answered, 200, "{}");
      }
    };
  });
}

}  // namespace weir::http
