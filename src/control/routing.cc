#include "control/routing.h"

#include <algorithm>
#include <charconv>

#include <boost/json.hpp>

#include "base/check.h"

namespace weir::control {
namespace {

namespace json = boost::json;
using rollout::Arm;

std::string record(std::string_view action, std::uint32_t version, const rollout::Reason& reason) {
  return json::serialize(json::object{
      {"at", to_rfc3339(now_us())},
      {"action", json::string(action)},
      {"version", version},
      {"by", reason.by},
      {"text", reason.text},
  });
}

}  // namespace

std::uint32_t version_number(std::string_view version) {
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  CHECK(error == std::errc() && end == version.data() + version.size(), "a version is a number");
  return number;
}

std::vector<std::uint32_t> needed_versions(const EndpointState& state) {
  if (state.is_unloaded) return {};
  std::vector<std::uint32_t> needed = state.shadows;
  needed.push_back(state.primary);
  if (state.rollout && state.rollout->is_active()) {
    needed.push_back(version_number(state.rollout->candidate_version));
  }
  return needed;
}

serve::Lane make_lane(
    std::shared_ptr<const serve::Version> version, Arm arm, metrics::Registry& registry
) {
  const metrics::Labels labels{
      {"endpoint", version->endpoint()},
      {"version", version->number_text()},
      {"arm", std::string(rollout::to_string(arm))},
  };
  const auto with_status = [&](const char* status) {
    metrics::Labels extended = labels;
    extended.emplace_back("status", status);
    return registry.counter(
        "weir_requests_total", "Requests that a version was planned for.", extended
    );
  };
  serve::Lane lane;
  lane.arm = arm;
  lane.requests_ok = with_status("ok");
  lane.requests_failed = with_status("error");
  lane.requests_cancelled = with_status("cancelled");
  lane.rows = registry.counter("weir_rows_total", "Rows of those requests.", labels);
  lane.latency = registry.histogram(
      "weir_request_duration_seconds",
      "From the first byte of a request to its prediction; of shadows, time inside the model.",
      metrics::latency_buckets(),
      labels
  );
  lane.version = std::move(version);
  return lane;
}

std::shared_ptr<serve::EndpointRoute> make_route(
    const EndpointState& state,
    const EndpointSettings& settings,
    const std::function<std::shared_ptr<const serve::Version>(std::uint32_t)>& loaded,
    metrics::Registry& registry
) {
  auto route = std::make_shared<serve::EndpointRoute>();
  route->name = state.name;
  route->routing_key = settings.routing_key;
  route->durability_always = settings.durability_always;
  if (state.is_unloaded) return route;
  if (auto primary = loaded(state.primary)) {
    route->primary = make_lane(std::move(primary), Arm::primary, registry);
  }
  for (const std::uint32_t number : state.shadows) {
    if (auto shadow = loaded(number)) {
      route->shadows.push_back(make_lane(std::move(shadow), Arm::shadow, registry));
    }
  }
  if (!state.rollout || !state.rollout->is_active()) return route;
  const rollout::RolloutState& rollout = *state.rollout;
  route->rollout = fmt::format("{}", rollout.number);
  route->stage = rollout.stage_name();
  route->seed = rollout.seed;
  auto candidate = loaded(version_number(rollout.candidate_version));
  if (candidate == nullptr) return route;
  if (rollout.shadows_candidate()) {
    route->shadows.push_back(make_lane(std::move(candidate), Arm::shadow, registry));
  } else {
    route->candidate_ppm = rollout.candidate_share_ppm();
    route->candidate = make_lane(std::move(candidate), Arm::candidate, registry);
  }
  return route;
}

Result<void> check_new_shadow(const EndpointState& state, std::uint32_t number) {
  const bool is_candidate = state.rollout && state.rollout->is_active() &&
                            version_number(state.rollout->candidate_version) == number;
  const bool is_shadow = std::ranges::find(state.shadows, number) != state.shadows.end();
  if (number != state.primary && !is_candidate && !is_shadow) return {};
  return fail(
      Code::conflict,
      "version {} of '{}' is its {} already",
      number,
      state.name,
      is_candidate ? "candidate"
      : is_shadow  ? "shadow"
                   : "primary version"
  );
}

Result<void> check_removable(const EndpointState& state, std::uint32_t number) {
  if (number == state.primary) {
    return fail(
        Code::conflict,
        "version {} of '{}' is its primary version; launch another one first",
        number,
        state.name
    );
  }
  if (state.rollout && state.rollout->is_active() &&
      version_number(state.rollout->candidate_version) == number) {
    return fail(
        Code::conflict,
        "version {} of '{}' is being rolled out; 'weir rollback {}' ends that",
        number,
        state.name,
        state.name
    );
  }
  return {};
}

std::string create_record(const EndpointState& state, const rollout::Reason& reason) {
  return record("create", state.primary, reason);
}

std::string shadow_record(
    const EndpointState&, std::uint32_t number, const rollout::Reason& reason
) {
  return record("shadow", number, reason);
}

std::string shadow_end_record(const VersionEntry& entry) {
  return record("end_shadow", entry.number, {.by = "api", .text = ""});
}

}  // namespace weir::control
