#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "rollout/state.h"
#include "serve/routes.h"

namespace weir::control {

// One version of an endpoint, as the store knows it.
struct VersionEntry {
  std::uint32_t number = 0;
  std::string sha256;
  std::string file_name;
  std::string name;  // A person's; may be empty.
  Moment added_at = 0;
  bool operator==(const VersionEntry&) const = default;
};

// What must survive a restart of an endpoint: one document in the store. Plain data.
struct EndpointState {
  std::string name;
  std::vector<VersionEntry> versions;  // By number, ascending.
  std::uint32_t primary = 0;
  std::vector<std::uint32_t> shadows;            // Those that are no rollout's candidate.
  std::optional<rollout::RolloutState> rollout;  // The newest, also after its end.
  std::vector<std::string> features;             // Names of the inputs' elements by position.
  bool is_unloaded = false;
  // The highest numbers that were ever given out, so that none comes back after a removal.
  std::uint32_t last_version = 0;
  std::uint64_t last_rollout = 0;

  const VersionEntry* find(std::uint32_t number) const;
  const VersionEntry* find(std::string_view sha256) const;
  std::uint32_t next_version() const;
  std::uint64_t next_rollout() const;
  bool operator==(const EndpointState&) const = default;
};

std::string to_json(const EndpointState& state);
Result<EndpointState> parse_endpoint_json(std::string_view text);

// What the configuration file says of an endpoint; not stored.
struct EndpointSettings {
  serve::RoutingKey routing_key;
  bool durability_always = false;
  std::optional<serve::VersionLimits> limits;  // Absent: those of all endpoints.
  std::optional<rollout::Plan> plan;  // Default of `weir deploy` without --stages.
};

}  // namespace weir::control
