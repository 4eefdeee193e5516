#include <charconv>

#include <boost/json.hpp>

#include "api/api.h"
#include "api/body.h"
#include "http/respond.h"
#include "http/url.h"

// Endpoints, their rollouts and their feedback.

namespace weir::api {

namespace json = boost::json;
using http::Background;
using http::Exchange;

namespace {

void respond_view(
    Exchange& exchange, const Result<control::EndpointView>& view, const Sources& sources
) {
  if (!view) {
    http::respond_error(exchange, view.error());
    return;
  }
  http::respond_json(exchange, 200, json::serialize(endpoint_status(*view, sources)));
}

// ?name=… of the request; empty when absent.
Result<std::string> query_text(const http::Request& request, std::string_view name) {
  const auto value = TRY(http::query_value(request.query, name));
  return value.value_or(std::string());
}

Result<bool> query_flag(const http::Request& request, std::string_view name) {
  const std::string text = TRY(query_text(request, name));
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return fail(Code::invalid_argument, "'{}' is true or false, not '{}'", name, text);
}

Result<control::Deployment> read_deployment(
    const http::Request& request, const std::string& endpoint
) {
  control::Deployment deployment;
  deployment.endpoint = endpoint;
  deployment.file_name = TRY(query_text(request, "file_name"));
  if (deployment.file_name.empty()) {
    return fail(
        Code::invalid_argument,
        "?file_name= is missing; its ending (.onnx, .ubj, .json, .txt) tells the format"
    );
  }
  deployment.bytes = request.body;
  if (deployment.bytes.empty()) {
    return fail(Code::invalid_argument, "the body is empty; send the model file's bytes");
  }
  deployment.sidecar = TRY(query_text(request, "sidecar"));
  deployment.name = TRY(query_text(request, "name"));
  deployment.as_shadow = TRY(query_flag(request, "shadow"));
  const std::string stages = TRY(query_text(request, "stages"));
  const std::string plan = TRY(query_text(request, "plan"));
  if (!stages.empty() && !plan.empty()) {
    return fail(Code::invalid_argument, "?stages= or ?plan=, not both");
  }
  if (!stages.empty()) deployment.plan = TRY(rollout::parse_stages(stages));
  if (!plan.empty()) deployment.plan = TRY(rollout::parse_plan_yaml(plan, "plan"));
  return deployment;
}

}  // namespace

void Api::list_endpoints(Exchange& exchange) {
  json::array endpoints;
  for (const auto& view : sources_.controller.list()) endpoints.push_back(endpoint_summary(view));
  http::respond_json(exchange, 200, json::serialize(endpoints));
}

void Api::show_endpoint(Exchange& exchange, const std::string& endpoint) {
  respond_view(exchange, sources_.controller.describe(endpoint), sources_);
}

void Api::show_rollout(Exchange& exchange, const std::string& endpoint, const std::string& number) {
  const auto view = sources_.controller.describe(endpoint);
  if (!view) {
    http::respond_error(exchange, view.error());
    return;
  }
  const auto& rollout = view->state.rollout;
  if (!rollout || fmt::format("{}", rollout->number) != number) {
    http::respond_error(
        exchange,
        {Code::not_found,
         fmt::format(
             "'{}' has no rollout {} at hand; {}",
             endpoint,
             number,
             rollout ? fmt::format("the newest is {}", rollout->number) : "it had none so far"
         )}
    );
    return;
  }
  http::respond_json(exchange, 200, json::serialize(rollout_document(*rollout)));
}

void Api::show_decisions(Exchange& exchange, const std::string& endpoint) {
  constexpr std::size_t limit = 1000;
  const auto entries = sources_.controller.decisions(endpoint, limit);
  if (!entries) {
    http::respond_error(exchange, entries.error());
    return;
  }
  std::string text = "[";
  for (const store::LogEntry& entry : *entries) {
    if (text.size() > 1) text += ',';
    text += entry.json;
  }
  http::respond_json(exchange, 200, text + ']');
}

void Api::deploy(Exchange& exchange, const std::string& endpoint) {
  auto deployment = read_deployment(exchange.request(), endpoint);
  if (!deployment) {
    http::respond_error(exchange, deployment.error());
    return;
  }
  backgrounds_.others.run(
      exchange,
      [this, deployment = *std::move(deployment)]() -> Background::Answer {
        auto view = sources_.controller.deploy(deployment, {.by = "api", .text = ""});
        return [this, view = std::move(view)](Exchange& answered) {
          respond_view(answered, view, sources_);
        };
      }
  );
}

void Api::move(Exchange& exchange, const std::string& endpoint, const std::string& action) {
  const auto body = read_move(exchange.request().body);
  if (!body) {
    http::respond_error(exchange, body.error());
    return;
  }
  // Off the loop: a move waits for the store's disk, and a rollback long after its promotion loads
  // the old version again.
  backgrounds_.moves.run(exchange, [this, endpoint, action, body = *body]() -> Background::Answer {
    control::Controller& controller = sources_.controller;
    const rollout::Reason reason{.by = body.by.empty() ? "api" : body.by, .text = body.text};
    const auto reach = body.full ? rollout::Reach::end : rollout::Reach::next_stage;
    auto view = action == "promote"  ? controller.promote(endpoint, reach, reason)
                : action == "pause"  ? controller.pause(endpoint, reason)
                : action == "resume" ? controller.resume(endpoint, reason)
                                     : controller.rollback(endpoint, reason);
    return [this, view = std::move(view)](Exchange& answered) {
      respond_view(answered, view, sources_);
    };
  });
}

void Api::remove_version(
    Exchange& exchange, const std::string& endpoint, const std::string& version
) {
  std::uint32_t number = 0;
  const char* end = version.data() + version.size();
  const auto [rest, error] = std::from_chars(version.data(), end, number);
  if (error != std::errc() || rest != end) {
    http::respond_error(
        exchange, {Code::not_found, fmt::format("'{}' has no version '{}'", endpoint, version)}
    );
    return;
  }
  backgrounds_.others.run(exchange, [this, endpoint, number]() -> Background::Answer {
    auto removed = sources_.controller.remove_version(endpoint, number);
    return [removed = std::move(removed), number](Exchange& answered) {
      if (!removed) {
        http::respond_error(answered, removed.error());
      } else {
        http::respond_json(answered, 200, fmt::format("{{\"removed\":\"{}\"}}", number));
      }
    };
  });
}

void Api::take_feedback(Exchange& exchange, const std::string& endpoint) {
  if (const auto known = sources_.controller.describe(endpoint); !known) {
    http::respond_error(exchange, known.error());
    return;
  }
  // A large body takes long to read.
  backgrounds_.others.run(exchange, [this, endpoint, &exchange]() -> Background::Answer {
    auto rows = control::parse_feedback(exchange.request().body, now_us(), options_.feedback);
    return [this, endpoint, rows = std::move(rows)](Exchange& answered) {
      if (!rows) {
        http::respond_error(answered, rows.error());
      } else {
        keep_feedback(answered, endpoint, *rows);
      }
    };
  });
}

void Api::keep_feedback(
    Exchange& exchange, const std::string& endpoint, std::vector<ledger::Feedback> rows
) {
  // The client may have had its answer a moment ago: its record counts before its label does.
  sources_.recorder.when_flushed([this, &exchange, endpoint, rows = std::move(rows)]() mutable {
    sources_.feedback.submit(
        endpoint,
        std::move(rows),
        [&exchange](const Result<ledger::FeedbackCounts>& counts) {
          exchange.loop().post([&exchange, counts] {
            if (!counts) {
              http::respond_error(exchange, counts.error());
              return;
            }
            http::respond_json(
                exchange,
                200,
                json::serialize(json::object{
                    {"accepted", counts->accepted},
                    {"matched", counts->matched},
                    {"waiting", counts->waiting},
                    {"duplicate", counts->duplicate},
                    {"corrected", counts->corrected},
                })
            );
          });
        }
    );
  });
}

}  // namespace weir::api
