#include "control/v2_views.h"

#include <charconv>

#include "model/catalog.h"

namespace weir::control {
namespace {

using protocol::TensorMetadata;
using serve::EndpointRoute;
using serve::Lane;
using serve::Version;
using serve::VersionStatistics;

std::vector<TensorMetadata> describe(const std::vector<model::TensorSpec>& specs) {
  std::vector<TensorMetadata> tensors;
  for (const model::TensorSpec& spec : specs) {
    tensors.push_back({spec.name, spec.datatype, spec.shape});
  }
  return tensors;
}

Result<const EndpointRoute*> find_route(const serve::RouteTable& table, std::string_view name) {
  const auto found = table.find(name);
  if (found == table.end()) return fail(Code::not_found, "unknown model '{}'", name);
  return found->second.get();
}

// The named version, or the primary one.
Result<const Version*> find_version(const EndpointRoute& route, std::string_view version) {
  if (version.empty()) {
    if (route.is_ready()) return route.primary.version.get();
    return fail(Code::unavailable, "model '{}' is not loaded", route.name);
  }
  std::uint32_t number = 0;
  const char* end = version.data() + version.size();
  const auto [rest, error] = std::from_chars(version.data(), end, number);
  const Lane* lane = error == std::errc() && rest == end ? route.pinned_lane(number) : nullptr;
  if (lane == nullptr) {
    return fail(Code::not_found, "model '{}' has no loaded version '{}'", route.name, version);
  }
  return lane->version.get();
}

protocol::StatisticDuration read(const serve::DurationCounter& counter) {
  return {
      counter.count.load(std::memory_order_relaxed), counter.ns.load(std::memory_order_relaxed)};
}

protocol::ModelStatistics statistics_of(const Version& version) {
  const VersionStatistics& from = version.statistics();
  protocol::ModelStatistics statistics;
  statistics.name = version.endpoint();
  statistics.version = version.number_text();
  statistics.last_inference_ms = from.last_inference.load(std::memory_order_relaxed) / 1000;
  statistics.inference_count = from.inference_count.load(std::memory_order_relaxed);
  statistics.execution_count = from.execution_count.load(std::memory_order_relaxed);
  statistics.success = read(from.success);
  statistics.fail = read(from.fail);
  statistics.queue = read(from.queue);
  statistics.compute_input = read(from.compute_input);
  statistics.compute_infer = read(from.compute_infer);
  statistics.compute_output = read(from.compute_output);
  for (const VersionStatistics::BatchSize& batch : from.batch_sizes) {
    const std::uint64_t size = batch.size.load(std::memory_order_relaxed);
    if (size == 0) break;
    statistics.batches.push_back(
        {size, read(batch.compute_input), read(batch.compute_infer), read(batch.compute_output)}
    );
  }
  if (version.memory_bytes() > 0) {
    statistics.memory.push_back({.byte_size = version.memory_bytes()});
  }
  return statistics;
}

void add_statistics(const EndpointRoute& route, std::vector<protocol::ModelStatistics>& all) {
  for (const Lane& lane : route.pinned) all.push_back(statistics_of(*lane.version));
}

// What was loaded with these files before is loaded again.
bool is_primary(const Controller& controller, const Deployment& deployment) {
  const auto known = controller.describe(deployment.endpoint);
  if (!known) return false;
  const std::string hash = model::artifact_hash(deployment.bytes, deployment.sidecar);
  const auto* const entry = known->state.find(hash);
  return entry != nullptr && entry->number == known->state.primary;
}

}  // namespace

protocol::ServerMetadata server_metadata() {
  return {
      .name = "weir",
      .version = WEIR_VERSION,
      .extensions =
          {"binary_tensor_data",
           "model_configuration",
           "model_repository",
           "parameters",
           "statistics"},
  };
}

Result<void> model_ready(
    const serve::RouteTable& table, std::string_view name, std::string_view version
) {
  const EndpointRoute& route = *TRY(find_route(table, name));
  TRY(find_version(route, version));
  return {};
}

Result<protocol::ModelMetadata> model_metadata(
    const serve::RouteTable& table, std::string_view name, std::string_view version
) {
  const EndpointRoute& route = *TRY(find_route(table, name));
  const model::Signature& signature = TRY(find_version(route, version))->signature();
  protocol::ModelMetadata metadata;
  metadata.name = route.name;
  for (const Lane& lane : route.pinned) metadata.versions.push_back(lane.version->number_text());
  metadata.platform = signature.platform;
  metadata.inputs = describe(signature.inputs);
  metadata.outputs = describe(signature.outputs);
  return metadata;
}

Result<protocol::ModelConfiguration> model_configuration(
    const serve::RouteTable& table, std::string_view name, std::string_view version
) {
  const EndpointRoute& route = *TRY(find_route(table, name));
  const model::Signature& signature = TRY(find_version(route, version))->signature();
  return protocol::ModelConfiguration{
      .name = route.name,
      .platform = signature.platform,
      .backend = signature.platform == "onnx_onnxv1" ? "onnxruntime" : "weir",
      .inputs = describe(signature.inputs),
      .outputs = describe(signature.outputs),
  };
}

Result<std::vector<protocol::ModelStatistics>> model_statistics(
    const serve::RouteTable& table, std::string_view name, std::string_view version
) {
  std::vector<protocol::ModelStatistics> all;
  if (name.empty()) {
    for (const auto& [key, route] : table) add_statistics(*route, all);
    return all;
  }
  const EndpointRoute& route = *TRY(find_route(table, name));
  if (version.empty()) {
    add_statistics(route, all);
  } else {
    all.push_back(statistics_of(*TRY(find_version(route, version))));
  }
  return all;
}

std::vector<protocol::RepositoryEntry> repository_index(
    const std::vector<EndpointView>& endpoints, bool ready_only
) {
  std::vector<protocol::RepositoryEntry> entries;
  for (const EndpointView& endpoint : endpoints) {
    for (const VersionView& version : endpoint.versions) {
      const bool is_ready = version.loaded != nullptr && !endpoint.state.is_unloaded;
      if (ready_only && !is_ready) continue;
      std::string_view reason;
      if (!is_ready) reason = "not loaded";
      if (endpoint.state.is_unloaded) reason = "unloaded";
      if (!endpoint.load_error.empty()) reason = endpoint.load_error;
      entries.push_back(
          {endpoint.state.name,
           fmt::format("{}", version.entry.number),
           is_ready ? "READY" : "UNAVAILABLE",
           reason}
      );
    }
  }
  return entries;
}

Result<void> load_model(
    Controller& controller, const std::string& name, std::vector<ModelFile> files
) {
  if (files.empty()) return controller.load(name);
  Deployment deployment;
  deployment.endpoint = name;
  for (ModelFile& file : files) {
    if (file.path.ends_with(".yaml")) {
      deployment.sidecar = std::move(file.bytes);
    } else if (deployment.bytes.empty()) {
      deployment.file_name = std::move(file.path);
      deployment.bytes = std::move(file.bytes);
    } else {
      return fail(
          Code::invalid_argument,
          "'{}' is a second model file beside '{}'; a load takes one model and its sidecar",
          file.path,
          deployment.file_name
      );
    }
  }
  if (is_primary(controller, deployment)) return controller.load(name);
  deployment.plan = TRY(rollout::parse_stages("100"));
  const rollout::Reason reason{.by = "v2 repository", .text = "load with files"};
  const auto deployed = TRY(controller.deploy(deployment, reason));
  if (deployed.state.rollout && deployed.state.rollout->is_active()) {
    TRY(controller.promote(name, rollout::Reach::end, reason));
  }
  return {};
}

}  // namespace weir::control
