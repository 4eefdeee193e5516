#include "control/endpoint_state.h"

#include <algorithm>

#include <boost/json.hpp>

namespace weir::control {
namespace {

namespace json = boost::json;

json::object version_to_json(const VersionEntry& version) {
  return {
      {"number", version.number},
      {"sha256", version.sha256},
      {"file_name", version.file_name},
      {"name", version.name},
      {"added_at", version.added_at},
  };
}

VersionEntry version_from_json(const json::object& object) {
  return {
      .number = object.at("number").to_number<std::uint32_t>(),
      .sha256 = std::string(object.at("sha256").as_string()),
      .file_name = std::string(object.at("file_name").as_string()),
      .name = std::string(object.at("name").as_string()),
      .added_at = object.at("added_at").to_number<std::int64_t>(),
  };
}

}  // namespace

const VersionEntry* EndpointState::find(std::uint32_t number) const {
  const auto found = std::ranges::find(versions, number, &VersionEntry::number);
  return found == versions.end() ? nullptr : &*found;
}

const VersionEntry* EndpointState::find(std::string_view sha256) const {
  const auto found = std::ranges::find(versions, sha256, &VersionEntry::sha256);
  return found == versions.end() ? nullptr : &*found;
}

std::uint32_t EndpointState::next_version() const {
  return std::max(last_version, versions.empty() ? 0 : versions.back().number) + 1;
}

std::uint64_t EndpointState::next_rollout() const {
  return std::max(last_rollout, rollout ? rollout->number : 0) + 1;
}

std::string to_json(const EndpointState& state) {
  json::array versions;
  for (const VersionEntry& version : state.versions) versions.push_back(version_to_json(version));
  json::object object{
      {"name", state.name},
      {"versions", std::move(versions)},
      {"primary", state.primary},
      {"shadows", json::value_from(state.shadows)},
      {"features", json::value_from(state.features)},
      {"is_unloaded", state.is_unloaded},
      {"last_version", state.last_version},
      {"last_rollout", state.last_rollout},
      {"rollout", nullptr},
  };
  if (state.rollout) object["rollout"] = json::parse(rollout::to_json(*state.rollout));
  return json::serialize(object);
}

Result<EndpointState> parse_endpoint_json(std::string_view text) {
  try {
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    const json::object& object = value.as_object();
    EndpointState state;
    state.name = object.at("name").as_string();
    for (const json::value& version : object.at("versions").as_array()) {
      state.versions.push_back(version_from_json(version.as_object()));
    }
    state.primary = object.at("primary").to_number<std::uint32_t>();
    state.shadows = json::value_to<std::vector<std::uint32_t>>(object.at("shadows"));
    state.features = json::value_to<std::vector<std::string>>(object.at("features"));
    state.is_unloaded = object.at("is_unloaded").as_bool();
    // Stores of 0.1 from before these two do not have them.
    if (const json::value* last = object.if_contains("last_version")) {
      state.last_version = last->to_number<std::uint32_t>();
    }
    if (const json::value* last = object.if_contains("last_rollout")) {
      state.last_rollout = last->to_number<std::uint64_t>();
    }
    if (const json::value& rollout = object.at("rollout"); !rollout.is_null()) {
      state.rollout = TRY(rollout::parse_state_json(json::serialize(rollout)));
    }
    return state;
  } catch (const std::exception& error) {
    return fail(Code::corrupt, "the stored state of an endpoint cannot be read: {}", error.what());
  }
}

}  // namespace weir::control
