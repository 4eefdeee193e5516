#include "control/controller.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/id.h"
#include "base/log.h"
#include "control/routing.h"

namespace weir::control {

using rollout::Reason;
using rollout::RolloutState;
using serve::Version;

namespace {

constexpr std::string_view endpoints_collection = "endpoints";

std::string decisions_log(std::string_view endpoint) {
  return fmt::format("decisions/{}", endpoint);
}

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

Controller::Controller(
    ControllerOptions options,
    store::Store& store,
    model::Catalog& catalog,
    serve::Routes& routes,
    metrics::Registry& registry
)
    : options_(std::move(options)),
      store_(store),
      catalog_(catalog),
      routes_(routes),
      registry_(registry) {}

Controller::~Controller() = default;

Result<void> Controller::open() {
  const std::vector<store::Document> documents = TRY(store_.list(endpoints_collection));
  const std::lock_guard lock(mutex_);
  for (const store::Document& document : documents) {
    auto endpoint = std::make_unique<Endpoint>();
    endpoint->state = TRY(parse_endpoint_json(document.json));
    if (const Result<void> loaded = load_needed(*endpoint); !loaded) {
      endpoint->load_error = loaded.error().message;
      LOG(error, "endpoint '{}' is not ready: {}", endpoint->state.name, endpoint->load_error);
    }
    const std::string name = endpoint->state.name;
    endpoints_.emplace(name, std::move(endpoint));
  }
  publish();
  return {};
}

Result<void> Controller::check_name(std::string_view name) const {
  if (name.empty()) {
    return fail(Code::invalid_argument, "an endpoint needs a name, as in --model NAME=PATH");
  }
  if (name.size() > options_.max_name_bytes) {
    return fail(
        Code::invalid_argument,
        "the endpoint name has {} bytes; max_name_bytes allows {}",
        name.size(),
        options_.max_name_bytes
    );
  }
  const bool has_control = std::ranges::any_of(name, [](unsigned char c) { return c < 0x20; });
  if (has_control || name.starts_with('/') || name.ends_with('/')) {
    return fail(
        Code::invalid_argument,
        "'{}' is not an endpoint name: no control characters, no '/' at either end",
        name
    );
  }
  return {};
}

Result<std::shared_ptr<const Version>> Controller::load_version(
    const std::string& endpoint, const VersionEntry& entry, const std::vector<std::string>& features
) const {
  const model::Artifact artifact = TRY(catalog_.find(entry.sha256));
  auto session = TRY(model::load_session(artifact.path, options_.session));
  serve::VersionIdentity identity{
      .endpoint = endpoint, .number = entry.number, .sha256 = entry.sha256, .name = entry.name};
  return std::make_shared<const Version>(
      std::move(identity), std::move(session), options_.version, features, options_.metadata
  );
}

Result<void> Controller::load_needed(Endpoint& endpoint) {
  if (endpoint.state.is_unloaded) return {};
  for (const std::uint32_t number : needed_versions(endpoint.state)) {
    if (endpoint.loaded.contains(number)) continue;
    const VersionEntry* entry = endpoint.state.find(number);
    CHECK(entry != nullptr, "a version with a role is listed");
    auto version = load_version(endpoint.state.name, *entry, endpoint.state.features);
    if (!version) {
      return fail(
          version.error().code,
          "version {} of '{}': {}",
          number,
          endpoint.state.name,
          version.error().message
      );
    }
    endpoint.loaded[number] = {*std::move(version), 0};
  }
  endpoint.load_error.clear();
  return {};
}

Result<std::string> Controller::ensure(const std::string& endpoint, const std::string& path) {
  TRY(check_name(endpoint));
  const auto known = describe(endpoint);
  if (!known) {
    TRY(deploy(
        {.endpoint = endpoint, .file_name = path, .path = path}, {.by = "command line", .text = ""}
    ));
    return std::string();
  }
  const std::string bytes = TRY(system_files().read(path));
  const auto sidecar = system_files().read(path + ".yaml");
  const std::string hash = model::artifact_hash(bytes, sidecar ? *sidecar : std::string());
  const VersionEntry* same = known->state.find(hash);
  if (same != nullptr && same->number == known->state.primary) return std::string();
  return fmt::format(
      "endpoint '{0}' exists already and serves version {1}; '{2}' is another artifact and was not "
      "deployed. To launch it: weir deploy {0} {2}",
      endpoint,
      known->state.primary,
      path
  );
}

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
  publish();
  LOG(info, "endpoint '{}': version 1 is primary ({})", place->first, entry.file_name);
  return view(*place->second);
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
    const std::uint64_t number = next.rollout ? next.rollout->number + 1 : 1;
    rollout::Step step = TRY(rollout::start(
        {.endpoint = next.name,
         .number = number,
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
  return view(endpoint);
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

Result<void> Controller::store_state(const EndpointState& state, std::string_view record) {
  store::Transaction transaction;
  transaction.put(endpoints_collection, state.name, to_json(state));
  if (!record.empty()) transaction.append(decisions_log(state.name), record);
  return store_.commit(transaction);
}

// A rollback takes effect before it is written down; everything else is written down first, so that
// a restart never falls behind what requests have seen.
Result<void> Controller::apply(
    Endpoint& endpoint, EndpointState next, std::string_view record, Order order
) {
  if (order == Order::store_first) TRY(store_state(next, record));
  endpoint.state = std::move(next);
  publish();
  if (order == Order::publish_first) {
    if (const Result<void> stored = store_state(endpoint.state, record); !stored) {
      return fail(
          stored.error().code,
          "'{}' is rolled back, but that could not be stored and a restart would undo it: {}",
          endpoint.state.name,
          stored.error().message
      );
    }
  }
  return {};
}

Result<EndpointView> Controller::move(std::string_view name, Order order, const Move& move) {
  const std::lock_guard lock(mutex_);
  Endpoint& endpoint = *TRY(find(name));
  if (!endpoint.state.rollout) {
    return fail(
        Code::conflict,
        "'{}' has no rollout; launch a version with 'weir deploy {} PATH'",
        name,
        name
    );
  }
  rollout::Step step = TRY(move(*endpoint.state.rollout, now_us()));
  EndpointState next = endpoint.state;
  next.primary = version_number(step.state.serving_primary());
  next.rollout = std::move(step.state);
  if (!endpoint.loaded.contains(next.primary)) {
    // Only a rollback long after its promotion gets here; requests go on meanwhile.
    const VersionEntry* entry = next.find(next.primary);
    if (entry == nullptr) {
      return fail(Code::conflict, "version {} of '{}' was removed", next.primary, name);
    }
    auto version = TRY(load_version(next.name, *entry, next.features));
    endpoint.loaded[next.primary] = {std::move(version), 0};
  }
  TRY(apply(endpoint, std::move(next), step.record, order));
  return view(endpoint);
}

Result<EndpointView> Controller::promote(
    std::string_view endpoint, rollout::Reach reach, const Reason& reason
) {
  return move(endpoint, Order::store_first, [&](const RolloutState& state, Moment now) {
    return rollout::promote(state, now, reach, reason);
  });
}

Result<EndpointView> Controller::pause(std::string_view endpoint, const Reason& reason) {
  return move(endpoint, Order::store_first, [&](const RolloutState& state, Moment now) {
    return rollout::pause(state, now, reason);
  });
}

Result<EndpointView> Controller::resume(std::string_view endpoint, const Reason& reason) {
  return move(endpoint, Order::store_first, [&](const RolloutState& state, Moment now) {
    return rollout::resume(state, now, reason);
  });
}

Result<EndpointView> Controller::rollback(std::string_view endpoint, const Reason& reason) {
  return move(endpoint, Order::publish_first, [&](const RolloutState& state, Moment now) {
    return rollout::rollback(state, now, reason);
  });
}

Result<Controller::Endpoint*> Controller::find(std::string_view name) const {
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) {
    return fail(
        Code::not_found,
        "there is no endpoint '{}'; 'weir model list' shows those that there are",
        name
    );
  }
  return found->second.get();
}

Result<void> Controller::load(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Endpoint& endpoint = *TRY(find(name));
  EndpointState next = endpoint.state;
  next.is_unloaded = false;
  endpoint.state.is_unloaded = false;
  if (const Result<void> loaded = load_needed(endpoint); !loaded) {
    endpoint.load_error = loaded.error().message;
    return loaded;
  }
  return apply(endpoint, std::move(next), {}, Order::store_first);
}

Result<void> Controller::unload(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Endpoint& endpoint = *TRY(find(name));
  EndpointState next = endpoint.state;
  next.is_unloaded = true;
  TRY(apply(endpoint, std::move(next), {}, Order::store_first));
  endpoint.loaded.clear();
  publish();
  return {};
}

Result<void> Controller::remove_version(std::string_view name, std::uint32_t number) {
  std::string sha256;
  {
    const std::lock_guard lock(mutex_);
    Endpoint& endpoint = *TRY(find(name));
    const VersionEntry* entry = endpoint.state.find(number);
    if (entry == nullptr) {
      return fail(Code::not_found, "'{}' has no version {}", name, number);
    }
    EndpointState next = endpoint.state;
    if (std::erase(next.shadows, number) > 0) {
      TRY(apply(endpoint, std::move(next), shadow_end_record(*entry), Order::store_first));
      return {};
    }
    TRY(check_removable(endpoint.state, number));
    sha256 = entry->sha256;
    std::erase_if(next.versions, [&](const VersionEntry& v) { return v.number == number; });
    if (next.rollout && !next.rollout->is_active()) next.rollout.reset();
    TRY(apply(endpoint, std::move(next), {}, Order::store_first));
    endpoint.loaded.erase(number);
    publish();
    registry_.remove({{"endpoint", std::string(name)}, {"version", fmt::format("{}", number)}});
  }
  forget_artifact(sha256);
  return {};
}

std::string Controller::recover_from_crash(std::string_view name, std::uint32_t number) {
  const auto view = describe(name);
  if (!view) return fmt::format("version {} of '{}' crashed and is gone already", number, name);
  const Reason reason{.by = "crash", .text = "the process died inside this version"};
  const auto& rollout = view->state.rollout;
  const auto& shadows = view->state.shadows;
  Result<void> undone;
  if (std::ranges::find(shadows, number) != shadows.end()) {
    undone = remove_version(name, number);
  } else if (rollout && version_number(rollout->candidate_version) == number && rollout->status != rollout::Status::rolled_back) {
    const auto rolled_back = rollback(name, reason);
    if (!rolled_back) undone = tl::unexpected(rolled_back.error());
  } else {
    return fmt::format(
        "version {0} of '{1}' crashed the process; there is no older version to go back to. "
        "'isolation: process' in its sidecar would keep the server alive",
        number,
        name
    );
  }
  if (!undone) {
    return fmt::format(
        "version {} of '{}' crashed the process and could not be rolled back: {}",
        number,
        name,
        undone.error().message
    );
  }
  return fmt::format("version {} of '{}' crashed the process and was rolled back", number, name);
}

std::vector<EndpointView> Controller::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<EndpointView> views;
  for (const auto& [name, endpoint] : endpoints_) views.push_back(view(*endpoint));
  return views;
}

Result<EndpointView> Controller::describe(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return view(*TRY(find(name)));
}

Result<std::vector<store::LogEntry>> Controller::decisions(
    std::string_view endpoint, std::size_t limit
) const {
  {
    const std::lock_guard lock(mutex_);
    TRY(find(endpoint));
  }
  return store_.last(decisions_log(endpoint), limit);
}

void Controller::tick(Moment now) {
  std::vector<std::string> baked;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, endpoint] : endpoints_) {
      const auto& state = endpoint->state.rollout;
      const auto ends_at = state ? state->bake_ends_at() : std::nullopt;
      if (ends_at && *ends_at <= now) baked.push_back(name);
    }
  }
  for (const std::string& name : baked) {
    const auto promoted =
        promote(name, rollout::Reach::next_stage, {.by = "controller", .text = "the bake is over"});
    if (!promoted) LOG(warning, "endpoint '{}': {}", name, promoted.error().message);
  }
  unload_cold(now);
}

void Controller::unload_cold(Moment now) {
  std::vector<std::shared_ptr<const Version>> cold;  // Destroyed after the lock is gone.
  const std::lock_guard lock(mutex_);
  for (const auto& [name, endpoint] : endpoints_) {
    const std::vector<std::uint32_t> needed = needed_versions(endpoint->state);
    for (auto entry = endpoint->loaded.begin(); entry != endpoint->loaded.end();) {
      Loaded& loaded = entry->second;
      if (std::ranges::find(needed, entry->first) != needed.end()) {
        loaded.cold_since = 0;
      } else if (loaded.cold_since == 0) {
        loaded.cold_since = now;
      } else if (now - loaded.cold_since >= options_.keep_warm_us) {
        cold.push_back(std::move(loaded.version));
        entry = endpoint->loaded.erase(entry);
        continue;
      }
      ++entry;
    }
  }
  if (!cold.empty()) publish();
}

void Controller::publish() {
  auto table = std::make_shared<serve::RouteTable>();
  for (const auto& [name, endpoint] : endpoints_) {
    const auto settings = options_.endpoints.find(name);
    endpoint->route = make_route(
        endpoint->state,
        settings == options_.endpoints.end() ? EndpointSettings() : settings->second,
        [&](std::uint32_t number) -> std::shared_ptr<const Version> {
          const auto loaded = endpoint->loaded.find(number);
          return loaded == endpoint->loaded.end() ? nullptr : loaded->second.version;
        },
        registry_
    );
    for (const auto& [number, loaded] : endpoint->loaded) {
      if (endpoint->state.is_unloaded) break;
      endpoint->route->pinned.push_back(make_lane(
          loaded.version,
          number == endpoint->state.primary ? rollout::Arm::primary : rollout::Arm::candidate,
          registry_
      ));
    }
    table->emplace(name, endpoint->route);
  }
  routes_.publish(std::move(table));
}

EndpointView Controller::view(const Endpoint& endpoint) const {
  EndpointView view;
  view.state = endpoint.state;
  view.load_error = endpoint.load_error;
  const auto& rollout = endpoint.state.rollout;
  const bool is_active = rollout && rollout->is_active();
  const std::uint32_t candidate = is_active ? version_number(rollout->candidate_version) : 0;
  const std::uint32_t share = is_active ? rollout->candidate_share_ppm() : 0;
  for (const VersionEntry& entry : endpoint.state.versions) {
    VersionView version{.entry = entry};
    if (const auto loaded = endpoint.loaded.find(entry.number); loaded != endpoint.loaded.end()) {
      version.loaded = loaded->second.version;
    }
    if (entry.number == candidate) {
      version.role = rollout->shadows_candidate() ? "shadow" : "candidate";
      version.share_ppm = share;
    } else if (entry.number == endpoint.state.primary) {
      version.role = "primary";
      version.share_ppm = rollout::whole_ppm - share;
    } else if (std::ranges::find(endpoint.state.shadows, entry.number) != endpoint.state.shadows.end()) {
      version.role = "shadow";
    }
    view.versions.push_back(std::move(version));
  }
  return view;
}

}  // namespace weir::control
