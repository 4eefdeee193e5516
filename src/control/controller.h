#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/endpoint_state.h"
#include "metrics/registry.h"
#include "model/catalog.h"
#include "model/session.h"
#include "serve/routes.h"
#include "store/store.h"

// Owns the endpoints: loads and unloads their versions, moves their rollouts, writes every decision
// to the store, and publishes the routes that requests follow.

namespace weir::control {

struct ControllerOptions {
  model::SessionOptions session;
  serve::VersionLimits version;
  std::vector<std::string> metadata = {"traceparent"};  // Request headers that are recorded.
  std::map<std::string, EndpointSettings, std::less<>> endpoints;
  // How long a version that nothing routes to any more stays loaded, so that it can come back at
  // once.
  std::int64_t keep_warm_us = 600 * us_per_second;
  // How often an endpoint that could not be loaded is tried again: the server behind a gateway may
  // have come back.
  std::int64_t load_retry_us = 10 * us_per_second;
  std::size_t max_endpoints = 10'000;
  std::size_t max_versions = 10'000;  // Per endpoint.
  std::size_t max_shadows = 16;       // Per endpoint, the candidate not counted.
  std::size_t max_name_bytes = 256;
};

// A new version for an endpoint.
struct Deployment {
  std::string endpoint;
  std::string file_name;
  std::string path;  // Read from here when `bytes` is empty.
  std::string bytes;
  std::string sidecar;                // With `bytes`; empty = none.
  std::string name;                   // A person's name for the version.
  std::optional<rollout::Plan> plan;  // Absent: of the configuration, else shadow,5,25,50,100.
  bool as_shadow = false;             // A lasting shadow beside everything, no rollout.
};

// A version with the role it has now.
struct VersionView {
  VersionEntry entry;
  std::string role;             // "primary", "candidate", "shadow", or "" for none.
  std::uint32_t share_ppm = 0;  // Of the requests it answers.
  std::shared_ptr<const serve::Version> loaded;  // Null: not loaded.
};

struct EndpointView {
  EndpointState state;
  std::vector<VersionView> versions;
  std::string load_error;  // Why it is not ready; empty when it is, or when it was unloaded.

  bool is_ready() const { return load_error.empty() && !state.is_unloaded; }
};

// Thread-safe. Only deploy and load take long, and neither holds up the others meanwhile.
class Controller {
 public:
  // Everything must outlive the controller.
  Controller(
      ControllerOptions options,
      store::Store& store,
      model::Catalog& catalog,
      serve::Routes& routes,
      metrics::Registry& registry,
      serve::Pool* pool = nullptr  // For slow versions and batches; without one all run inline.
  );
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Reads the stored endpoints, loads what they need and publishes. A version that cannot be loaded
  // any more makes its endpoint unready and says so; the others serve.
  Result<void> open();

  // `--model NAME=PATH`: makes the endpoint when it is missing. For one that exists the store wins;
  // a different artifact is a warning in the result that names `weir deploy`; empty otherwise.
  Result<std::string> ensure(const std::string& endpoint, const std::string& path);

  // Stores, loads and warms the version, and starts its rollout. The first version of an endpoint
  // becomes primary at once. The same content is the same version again.
  Result<EndpointView> deploy(const Deployment& deployment, const rollout::Reason& reason);

  Result<EndpointView> promote(
      std::string_view endpoint, rollout::Reach reach, const rollout::Reason& reason
  );
  Result<EndpointView> pause(std::string_view endpoint, const rollout::Reason& reason);
  Result<EndpointView> resume(std::string_view endpoint, const rollout::Reason& reason);
  // When it returns, no request that is planned later uses the candidate.
  Result<EndpointView> rollback(std::string_view endpoint, const rollout::Reason& reason);

  // The V2 repository calls. Loading a loaded endpoint does nothing; one that cannot be loaded is
  // tried again every load_retry_us.
  Result<void> load(std::string_view endpoint);
  Result<void> unload(std::string_view endpoint);

  // Ends a lasting shadow, or forgets a version that has no role. The artifact is deleted when no
  // other version uses it.
  Result<void> remove_version(std::string_view endpoint, std::uint32_t version);

  // A version that ended the process while it ran: a rollout of it is rolled back, a lasting shadow
  // ended. Called after open() and before the port opens; says what it did.
  std::string recover_from_crash(std::string_view endpoint, std::uint32_t version);

  // These two never wait for a move or a load: event loops may call them.
  std::vector<EndpointView> list() const;
  Result<EndpointView> describe(std::string_view endpoint) const;
  // Decisions, oldest first, as JSON objects.
  Result<std::vector<store::LogEntry>> decisions(std::string_view endpoint, std::size_t limit)
      const;

  // Once a second: ends bakes whose time is over, unloads what is cold, tries again to load what
  // could not be loaded.
  void tick(Moment now);

 private:
  struct Loaded {
    std::shared_ptr<const serve::Version> version;
    Moment cold_since = 0;  // 0 = it has a role.
  };
  struct Endpoint {
    EndpointState state;
    std::map<std::uint32_t, Loaded> loaded;
    std::shared_ptr<serve::EndpointRoute> route;
    std::shared_ptr<const EndpointView> view;
    std::string load_error;
    Moment retry_load_at = 0;
  };
  enum class Order : std::uint8_t { store_first, publish_first };
  using Move = std::function<Result<rollout::Step>(const rollout::RolloutState&, Moment)>;

  // What describe and list show; replaced whole, so that nobody who looks waits for a move.
  using Views = std::map<std::string, std::shared_ptr<const EndpointView>, std::less<>>;

  Result<void> check_name(std::string_view name) const;
  Result<void> check_new_name(std::string_view name) const;
  Result<void> check_deployment(const EndpointState& state, const Deployment& deployment) const;
  Result<Endpoint*> find(std::string_view endpoint) const;
  Result<std::shared_ptr<const serve::Version>> load_version(
      const std::string& endpoint,
      const VersionEntry& entry,
      const std::vector<std::string>& features
  ) const;
  Result<void> load_missing(std::string_view endpoint);
  Result<EndpointView> deploy_artifact(
      const Deployment& deployment, const model::Artifact& artifact, const rollout::Reason& reason
  );
  Result<EndpointView> add_first(
      const VersionEntry& entry,
      std::shared_ptr<const serve::Version> version,
      const rollout::Reason& reason
  );
  Result<EndpointView> add_next(
      const Deployment& deployment,
      const VersionEntry& entry,
      std::shared_ptr<const serve::Version> version,
      const rollout::Reason& reason
  );
  const serve::VersionLimits& limits_of(std::string_view endpoint) const;
  rollout::Plan default_plan(std::string_view endpoint) const;
  void forget_artifact(const std::string& sha256);
  Result<EndpointView> move(std::string_view endpoint, Order order, const Move& move);
  Result<void> store_state(const EndpointState& state, std::string_view record);
  Result<void> apply(Endpoint& endpoint, EndpointState next, std::string_view record, Order order);
  void unload_cold(Moment now);
  void retry_loads(Moment now);
  void refresh(Endpoint& endpoint);
  void publish();
  std::shared_ptr<const Views> views() const;
  EndpointView make_view(const Endpoint& endpoint) const;

  ControllerOptions options_;
  store::Store& store_;
  model::Catalog& catalog_;
  serve::Routes& routes_;
  metrics::Registry& registry_;
  serve::Pool* pool_;

  std::mutex deploy_mutex_;  // Before mutex_.
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Endpoint>, std::less<>> endpoints_;

  mutable std::mutex views_mutex_;  // After mutex_; held for a copy of the pointer only.
  std::shared_ptr<const Views> views_ = std::make_shared<const Views>();
};

}  // namespace weir::control
