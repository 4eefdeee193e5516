#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "metrics/registry.h"
#include "rollout/split.h"
#include "serve/version.h"

// Who answers what, as one immutable table. The controller publishes a new one; a request loads it
// once and keeps it to its end.

namespace weir::serve {

// A version in a role, with the instruments that count what it does there.
struct Lane {
  std::shared_ptr<const Version> version;
  rollout::Arm arm = rollout::Arm::primary;
  std::shared_ptr<metrics::Counter> requests_ok;
  std::shared_ptr<metrics::Counter> requests_failed;
  std::shared_ptr<metrics::Counter> requests_cancelled;  // Their clients have gone.
  std::shared_ptr<metrics::Counter> rows;
  std::shared_ptr<metrics::Histogram> latency;  // Shadows: time inside the model only.
};

// Where the routing key of a request stands. The header `weir-routing-key` and a request parameter
// of that name are always looked at first.
struct RoutingKey {
  enum class From : std::uint8_t { standard, header, cookie, input } from = From::standard;
  std::string name;
};

// The routes of one endpoint. Immutable.
struct EndpointRoute {
  std::string name;
  RoutingKey routing_key;
  bool durability_always = false;  // The answer waits until its record is synced.
  std::string rollout;             // Id of the running rollout; empty = none.
  std::string stage;               // Its stage, as it stands in records: "canary 5 %".
  std::uint64_t seed = 0;          // Of the rollout's split.
  std::uint32_t candidate_ppm = 0;
  Lane primary;    // version == null: the endpoint is unloaded.
  Lane candidate;  // version == null: no candidate takes traffic.
  std::vector<Lane> shadows;
  std::vector<Lane> pinned;  // Every loaded version, for requests that name one.

  bool is_ready() const { return primary.version != nullptr; }
  // Whether only one version can answer a request that names none.
  bool has_one_version() const { return is_ready() && candidate.version == nullptr; }
  const Lane* pinned_lane(std::uint32_t number) const {
    for (const Lane& lane : pinned) {
      if (lane.version->number() == number) return &lane;
    }
    return nullptr;
  }
};

using RouteTable = std::map<std::string, std::shared_ptr<const EndpointRoute>, std::less<>>;

// The current table. Thread-safe: a request that loads after publish() has returned sees the new
// one.
class Routes {
 public:
  Routes() : table_(std::make_shared<const RouteTable>()) {}

  std::shared_ptr<const RouteTable> load() const { return table_.load(std::memory_order_acquire); }
  void publish(std::shared_ptr<const RouteTable> table) {
    table_.store(std::move(table), std::memory_order_release);
  }

 private:
  std::atomic<std::shared_ptr<const RouteTable>> table_;
};

}  // namespace weir::serve
