#include "control/controller.h"

#include <algorithm>

#include "base/log.h"
#include "base/utf8.h"
#include "control/routing.h"
#include "control/stored_endpoints.h"

namespace weir::control {

using rollout::Reason;
using rollout::RolloutState;
using serve::Version;

namespace {

std::string decisions_log(std::string_view endpoint) {
  return fmt::format("decisions/{}", endpoint);
}

// Of ASCII letters, as SQL compares names.
std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

Error no_endpoint(std::string_view name) {
  return {
      Code::not_found,
      fmt::format("there is no endpoint '{}'; 'weir model list' shows those that there are", name)};
}

}  // namespace

Controller::Controller(
    ControllerOptions options,
    store::Store& store,
    model::Catalog& catalog,
    serve::Routes& routes,
    metrics::Registry& registry,
    serve::Pool* pool
)
    : options_(std::move(options)),
      store_(store),
      catalog_(catalog),
      routes_(routes),
      registry_(registry),
      pool_(pool) {}

Controller::~Controller() = default;

Result<void> Controller::open() {
  const std::vector<store::Document> documents = TRY(store_.list(endpoints_collection));
  std::vector<std::string> names;
  const std::lock_guard deploy_lock(deploy_mutex_);
  for (const store::Document& document : documents) {
    auto endpoint = std::make_unique<Endpoint>();
    endpoint->state = TRY(parse_endpoint_json(document.json));
    names.push_back(endpoint->state.name);
    const std::lock_guard lock(mutex_);
    endpoints_.emplace(names.back(), std::move(endpoint));
  }
  for (const std::string& name : names) {
    const Result<void> loaded = load_missing(name);
    if (!loaded) LOG(error, "endpoint '{}' is not ready: {}", name, loaded.error().message);
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [name, endpoint] : endpoints_) refresh(*endpoint);
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
  if (!is_valid_utf8(name)) {
    return fail(Code::invalid_argument, "an endpoint name is UTF-8 text; this one is not");
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

// Each endpoint is three tables of SQL, where letters differ by more than their case.
Result<void> Controller::check_new_name(std::string_view name) const {
  const std::string folded = in_lower_case(name);
  for (const std::string_view ending : {"_feedback", "_pairs"}) {
    if (!folded.ends_with(ending)) continue;
    return fail(
        Code::invalid_argument,
        "'{}' cannot be an endpoint name: names that end in '{}' are tables of other endpoints",
        name,
        ending
    );
  }
  for (const auto& [other, endpoint] : endpoints_) {
    if (in_lower_case(other) != folded) continue;
    return fail(
        Code::conflict,
        "there is an endpoint '{}' already; '{}' differs only in the case of its letters, and to "
        "SQL both would be one table",
        other,
        name
    );
  }
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
  const auto hash = catalog_.hash_file(path);
  if (!hash) {
    return fmt::format(
        "endpoint '{}' exists already and serves version {}; --model was not looked at: {}",
        endpoint,
        known->state.primary,
        hash.error().message
    );
  }
  const VersionEntry* same = known->state.find(*hash);
  if (same != nullptr && same->number == known->state.primary) return std::string();
  return fmt::format(
      "endpoint '{0}' exists already and serves version {1}; '{2}' is another artifact and was not "
      "deployed. To launch it: weir deploy {0} {2}",
      endpoint,
      known->state.primary,
      path
  );
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
  refresh(endpoint);
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
  return *endpoint.view;
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
  if (found == endpoints_.end()) return tl::unexpected(no_endpoint(name));
  return found->second.get();
}

Result<void> Controller::remove_version(std::string_view name, std::uint32_t number) {
  // A deployment of the same content must not find the artifact just before it is deleted.
  const std::lock_guard deploy_lock(deploy_mutex_);
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
    next.last_version = std::max(next.last_version, number);
    if (next.rollout && !next.rollout->is_active()) {
      next.last_rollout = next.rollout->number;
      next.rollout.reset();
    }
    TRY(apply(endpoint, std::move(next), {}, Order::store_first));
    endpoint.loaded.erase(number);
    refresh(endpoint);
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
  const bool was_launched = rollout && version_number(rollout->candidate_version) == number &&
                            rollout->status != rollout::Status::rolled_back;
  Result<void> undone;
  if (std::ranges::find(shadows, number) != shadows.end()) {
    undone = remove_version(name, number);
  } else if (was_launched) {
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
  const std::shared_ptr<const Views> current = views();
  std::vector<EndpointView> all;
  for (const auto& [name, view] : *current) all.push_back(*view);
  return all;
}

Result<EndpointView> Controller::describe(std::string_view name) const {
  const std::shared_ptr<const Views> current = views();
  const auto found = current->find(name);
  if (found == current->end()) return tl::unexpected(no_endpoint(name));
  return *found->second;
}

std::shared_ptr<const Controller::Views> Controller::views() const {
  const std::lock_guard lock(views_mutex_);
  return views_;
}

Result<std::vector<store::LogEntry>> Controller::decisions(
    std::string_view endpoint, std::size_t limit
) const {
  if (!views()->contains(endpoint)) return tl::unexpected(no_endpoint(endpoint));
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
  retry_loads(now);
}

// Route and view follow the endpoint's state and what is loaded of it.
void Controller::refresh(Endpoint& endpoint) {
  const auto settings = options_.endpoints.find(endpoint.state.name);
  endpoint.route = make_route(
      endpoint.state,
      settings == options_.endpoints.end() ? EndpointSettings() : settings->second,
      [&](std::uint32_t number) -> std::shared_ptr<const Version> {
        const auto loaded = endpoint.loaded.find(number);
        return loaded == endpoint.loaded.end() ? nullptr : loaded->second.version;
      },
      registry_
  );
  for (const auto& [number, loaded] : endpoint.loaded) {
    if (endpoint.state.is_unloaded) break;
    endpoint.route->pinned.push_back(make_lane(
        loaded.version,
        number == endpoint.state.primary ? rollout::Arm::primary : rollout::Arm::candidate,
        registry_
    ));
  }
  endpoint.view = std::make_shared<const EndpointView>(make_view(endpoint));
}

void Controller::publish() {
  auto table = std::make_shared<serve::RouteTable>();
  auto views = std::make_shared<Views>();
  for (const auto& [name, endpoint] : endpoints_) {
    table->emplace(name, endpoint->route);
    views->emplace(name, endpoint->view);
  }
  routes_.publish(std::move(table));
  const std::lock_guard lock(views_mutex_);
  views_ = std::move(views);
}

EndpointView Controller::make_view(const Endpoint& endpoint) const {
  EndpointView view;
  view.state = endpoint.state;
  view.load_error = endpoint.load_error;
  const auto& rollout = endpoint.state.rollout;
  const bool is_active = rollout && rollout->is_active();
  const std::uint32_t candidate = is_active ? version_number(rollout->candidate_version) : 0;
  const std::uint32_t share = is_active ? rollout->candidate_share_ppm() : 0;
  const std::vector<std::uint32_t>& shadows = endpoint.state.shadows;
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
    } else if (std::ranges::find(shadows, entry.number) != shadows.end()) {
      version.role = "shadow";
    }
    view.versions.push_back(std::move(version));
  }
  return view;
}

}  // namespace weir::control
