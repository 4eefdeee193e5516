#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/endpoint_state.h"
#include "metrics/registry.h"
#include "rollout/state.h"
#include "serve/routes.h"

// From the state of an endpoint to the routes that requests follow, and the records of decisions
// that are no move of a rollout. Pure apart from the instruments.

namespace weir::control {

// Requires: the text was written by us.
std::uint32_t version_number(std::string_view version);

// Those that must be loaded: primary, lasting shadows, and the candidate while its rollout is
// active.
std::vector<std::uint32_t> needed_versions(const EndpointState& state);

// A version in a role with the instruments of its endpoint, version and arm.
serve::Lane make_lane(
    std::shared_ptr<const serve::Version> version, rollout::Arm arm, metrics::Registry& registry
);

// The routes without `pinned`. `loaded` gives a loaded version or null.
std::shared_ptr<serve::EndpointRoute> make_route(
    const EndpointState& state,
    const EndpointSettings& settings,
    const std::function<std::shared_ptr<const serve::Version>(std::uint32_t)>& loaded,
    metrics::Registry& registry
);

// A version becomes a lasting shadow only when it has no other role.
Result<void> check_new_shadow(const EndpointState& state, std::uint32_t number);
// A version is forgotten only when it has no role.
Result<void> check_removable(const EndpointState& state, std::uint32_t number);

// JSON for the log of decisions.
std::string create_record(const EndpointState& state, const rollout::Reason& reason);
std::string shadow_record(
    const EndpointState& state, std::uint32_t number, const rollout::Reason& reason
);
std::string shadow_end_record(const VersionEntry& entry);

}  // namespace weir::control
