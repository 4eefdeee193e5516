#include <algorithm>

#include "base/check.h"
#include "base/id.h"
#include "base/log.h"
#include "control/controller.h"
#include "control/routing.h"

// How a model file becomes a version of an endpoint.

namespace weir::control {

using rollout::Reason;
using serve::Version;

namespace {

// The names by which later versions without names of their own call their inputs' elements.
std::vector<std::string> feature_names(const model::Signature& signature) {
  std::vector<std::string> names;
  for (const model::Feature& feature : signature.features) names.push_back(feature.name);
  return names;
}

Result<void> check_replaces(
    const Version& served, const Version& candidate, std::string_view file_name
) {
  const Result<void> fits = model::check_can_replace(served.signature(), candidate.signature());
  if (fits) return {};
  return fail(
      fits.error().code,
      "{}. A sidecar '{}.yaml' can map names (docs/sidecar.md)",
      fits.error().message,
      file_name
  );
}

}  // namespace

Result<EndpointView> Controller::deploy(const Deployment& deployment, const Reason& reason) {
  TRY(check_name(deployment.endpoint));
  // One deployment at a time, so that version numbers are given out in order; moves and requests
  // go on meanwhile.
  const std::lock_guard deploying(deploy_mutex_);
  const model::Artifact artifact =
      deployment.bytes.empty()
          ? TRY(catalog_.add_file(deployment.path))
          : TRY(catalog_.add_bytes(deployment.file_name, deployment.bytes, deployment.sidecar));
  auto deployed = deploy_artifact(deployment, artifact, reason);
  if (!deployed) forget_artifact(artifact.sha256);
  return deployed;
}

Result<EndpointView> Controller::deploy_artifact(
    const Deployment& deployment, const model::Artifact& artifact, const Reason& reason
) {
  VersionEntry entry{
      .number = 1,
      .sha256 = artifact.sha256,
      .file_name = artifact.file_name,
      .name = deployment.name,
      .added_at = now_us()};
  std::vector<std::string> features;
  std::shared_ptr<const Version> version;
  bool is_new_endpoint = true;
  {
    const std::lock_guard lock(mutex_);
    const auto found = endpoints_.find(deployment.endpoint);
    if (found == endpoints_.end() && endpoints_.size() >= options_.max_endpoints) {
      return fail(
          Code::exhausted,
          "there are {} endpoints already (max_endpoints); remove one first",
          endpoints_.size()
      );
    }
    if (found == endpoints_.end()) TRY(check_new_name(deployment.endpoint));
    if (found != endpoints_.end()) {
      const Endpoint& endpoint = *found->second;
      is_new_endpoint = false;
      TRY(check_deployment(endpoint.state, deployment));
      features = endpoint.state.features;
      const VersionEntry* known = endpoint.state.find(artifact.sha256);
      entry.number = known ? known->number : endpoint.state.next_version();
      if (known && deployment.name.empty()) entry.name = known->name;
      if (const auto loaded = endpoint.loaded.find(entry.number); loaded != endpoint.loaded.end()) {
        version = loaded->second.version;
      }
    }
  }
  if (version == nullptr) {
    version = TRY(load_version(deployment.endpoint, entry, features));
  }
  const std::lock_guard lock(mutex_);
  return is_new_endpoint ? add_first(entry, std::move(version), reason)
                         : add_next(deployment, entry, std::move(version), reason);
}

Result<void> Controller::check_deployment(const EndpointState& state, const Deployment& deployment)
    const {
  if (state.is_unloaded) {
    return fail(
        Code::conflict,
        "'{0}' is unloaded, so a new version cannot be compared with what it serves; load it "
        "first: "
        "POST /v2/repository/models/{0}/load",
        state.name
    );
  }
  if (!deployment.as_shadow && state.rollout && state.rollout->is_active()) {
    return fail(
        Code::conflict,
        "version {} of '{}' is being rolled out (stage {}); end that first with 'weir promote {} "
        "--full' or 'weir rollback {}'",
        state.rollout->candidate_version,
        state.name,
        state.rollout->stage_name(),
        state.name,
        state.name
    );
  }
  if (deployment.as_shadow && state.shadows.size() >= options_.max_shadows) {
    return fail(
        Code::exhausted,
        "'{}' has {} shadows already (max_shadows); remove one with 'weir model remove'",
        state.name,
        state.shadows.size()
    );
  }
  if (state.versions.size() >= options_.max_versions) {
    return fail(
        Code::exhausted,
        "'{}' has {} versions already (max_versions); remove old ones with 'weir model remove'",
        state.name,
        state.versions.size()
    );
  }
  return {};
}

Result<EndpointView> Controller::add_first(
    const VersionEntry& entry, std::shared_ptr<const Version> version, const Reason& reason
) {
  auto endpoint = std::make_unique<Endpoint>();
  EndpointState state;
  state.name = version->endpoint();
  state.versions = {entry};
  state.primary = entry.number;
  state.features = feature_names(version->signature());
  endpoint->state.name = state.name;
  endpoint->loaded[entry.number] = {std::move(version), 0};
  TRY(store_state(state, create_record(state, reason)));
  endpoint->state = std::move(state);
  const auto [place, added] = endpoints_.emplace(endpoint->state.name, std::move(endpoint));
  CHECK(added, "deployments come one at a time");
  refresh(*place->second);
  publish();
  LOG(info, "endpoint '{}': version 1 is primary ({})", place->first, entry.file_name);
  return *place->second->view;
}

Result<EndpointView> Controller::add_next(
    const Deployment& deployment,
    const VersionEntry& entry,
    std::shared_ptr<const Version> version,
    const Reason& reason
) {
  Endpoint& endpoint = *TRY(find(deployment.endpoint));
  TRY(check_deployment(endpoint.state, deployment));
  EndpointState next = endpoint.state;
  if (const auto primary = endpoint.loaded.find(next.primary); primary != endpoint.loaded.end()) {
    TRY(check_replaces(*primary->second.version, *version, entry.file_name));
  }
  const auto known = std::ranges::find(next.versions, entry.number, &VersionEntry::number);
  if (known != next.versions.end()) {
    known->name = entry.name;
  } else {
    next.versions.push_back(entry);
  }
  std::string record;
  if (deployment.as_shadow) {
    TRY(check_new_shadow(next, entry.number));
    next.shadows.push_back(entry.number);
    record = shadow_record(next, entry.number, reason);
  } else {
    rollout::Step step = TRY(rollout::start(
        {.endpoint = next.name,
         .number = next.next_rollout(),
         .primary_version = fmt::format("{}", next.primary),
         .candidate_version = fmt::format("{}", entry.number),
         .seed = random64(),
         .plan = deployment.plan ? *deployment.plan : default_plan(next.name)},
        now_us(),
        reason
    ));
    next.rollout = std::move(step.state);
    record = std::move(step.record);
  }
  endpoint.loaded[entry.number] = {std::move(version), 0};
  TRY(apply(endpoint, std::move(next), record, Order::store_first));
  return *endpoint.view;
}

rollout::Plan Controller::default_plan(std::string_view endpoint) const {
  const auto found = options_.endpoints.find(endpoint);
  if (found != options_.endpoints.end() && found->second.plan) return *found->second.plan;
  const auto plan = rollout::parse_stages("shadow,5,25,50,100");
  CHECK(plan.has_value(), "the default plan is a plan");
  return *plan;
}

void Controller::forget_artifact(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, endpoint] : endpoints_) {
    if (endpoint->state.find(sha256) != nullptr) return;
  }
  if (const Result<void> removed = catalog_.remove(sha256); !removed) {
    LOG(warning, "{}", removed.error().message);
  }
}

}  // namespace weir::control
