#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "control/controller.h"
#include "control/routing.h"

// The controller's part that loads and unloads versions.

namespace weir::control {

using serve::Version;

Result<std::shared_ptr<const Version>> Controller::load_version(
    const std::string& endpoint, const VersionEntry& entry, const std::vector<std::string>& features
) const {
  const model::Artifact artifact = TRY(catalog_.find(entry.sha256));
  auto session = TRY(model::load_session(artifact.path, options_.session));
  const serve::VersionLimits& limits = limits_of(endpoint);
  if (limits.max_memory_bytes > 0 && session->memory_bytes() > limits.max_memory_bytes) {
    return fail(
        Code::exhausted,
        "'{}' takes {} bytes of memory, and {} are allowed for '{}' (limits.memory_bytes)",
        entry.file_name,
        session->memory_bytes(),
        limits.max_memory_bytes,
        endpoint
    );
  }
  serve::VersionIdentity identity{
      .endpoint = endpoint, .number = entry.number, .sha256 = entry.sha256, .name = entry.name};
  return std::make_shared<const Version>(
      std::move(identity), std::move(session), limits, features, options_.metadata, pool_
  );
}

const serve::VersionLimits& Controller::limits_of(std::string_view endpoint) const {
  const auto found = options_.endpoints.find(endpoint);
  const bool has_own = found != options_.endpoints.end() && found->second.limits;
  return has_own ? *found->second.limits : options_.version;
}

// Loads what the endpoint needs and lacks, without holding up the others meanwhile.
// Requires: deploy_mutex_ is held.
Result<void> Controller::load_missing(std::string_view name) {
  while (true) {
    VersionEntry missing;
    std::vector<std::string> features;
    {
      const std::lock_guard lock(mutex_);
      Endpoint& endpoint = *TRY(find(name));
      const std::vector<std::uint32_t> needed = needed_versions(endpoint.state);
      const auto first = std::ranges::find_if(needed, [&](std::uint32_t number) {
        return !endpoint.loaded.contains(number);
      });
      if (endpoint.state.is_unloaded || first == needed.end()) {
        endpoint.load_error.clear();
        return {};
      }
      const VersionEntry* entry = endpoint.state.find(*first);
      CHECK(entry != nullptr, "a version with a role is listed");
      missing = *entry;
      features = endpoint.state.features;
    }
    auto version = load_version(std::string(name), missing, features);
    const std::lock_guard lock(mutex_);
    Endpoint& endpoint = *TRY(find(name));
    if (!version) {
      endpoint.load_error =
          fmt::format("version {} of '{}': {}", missing.number, name, version.error().message);
      endpoint.retry_load_at = now_us() + options_.load_retry_us;
      return fail(version.error().code, "{}", endpoint.load_error);
    }
    endpoint.loaded[missing.number] = {*std::move(version), 0};
  }
}

Result<void> Controller::load(std::string_view name) {
  const std::lock_guard deploy_lock(deploy_mutex_);
  {
    const std::lock_guard lock(mutex_);
    Endpoint& endpoint = *TRY(find(name));
    EndpointState next = endpoint.state;
    next.is_unloaded = false;
    TRY(apply(endpoint, std::move(next), {}, Order::store_first));
  }
  const Result<void> loaded = load_missing(name);
  const std::lock_guard lock(mutex_);
  refresh(*TRY(find(name)));
  publish();
  return loaded;
}

Result<void> Controller::unload(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Endpoint& endpoint = *TRY(find(name));
  EndpointState next = endpoint.state;
  next.is_unloaded = true;
  TRY(apply(endpoint, std::move(next), {}, Order::store_first));
  endpoint.loaded.clear();
  refresh(endpoint);
  publish();
  return {};
}

void Controller::retry_loads(Moment now) {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, endpoint] : endpoints_) {
      const bool is_wanted = !endpoint->load_error.empty() && !endpoint->state.is_unloaded;
      if (is_wanted && endpoint->retry_load_at <= now) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    // While something is deployed, the next tick is soon enough.
    const std::unique_lock deploy_lock(deploy_mutex_, std::try_to_lock);
    if (!deploy_lock) return;
    if (!load_missing(name)) continue;
    LOG(info, "endpoint '{}' is ready again", name);
    const std::lock_guard lock(mutex_);
    refresh(*endpoints_.at(name));
    publish();
  }
}

void Controller::unload_cold(Moment now) {
  std::vector<std::shared_ptr<const Version>> cold;  // Destroyed after the lock is gone.
  const std::lock_guard lock(mutex_);
  for (const auto& [name, endpoint] : endpoints_) {
    const std::vector<std::uint32_t> needed = needed_versions(endpoint->state);
    const std::size_t cold_before = cold.size();
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
    if (cold.size() > cold_before) refresh(*endpoint);
  }
  if (!cold.empty()) publish();
}

}  // namespace weir::control
