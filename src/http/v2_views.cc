#include "http/v2_views.h"

#include <charconv>

#include <openssl/evp.h>

#include "model/catalog.h"

namespace weir::http {
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

std::string metadata_document(const EndpointRoute& route, const Version& version) {
  protocol::ModelMetadata metadata;
  metadata.name = route.name;
  for (const Lane& lane : route.pinned) metadata.versions.push_back(lane.version->number_text());
  metadata.platform = version.signature().platform;
  metadata.inputs = describe(version.signature().inputs);
  metadata.outputs = describe(version.signature().outputs);
  return protocol::encode_model_metadata(metadata);
}

std::string configuration_document(const EndpointRoute& route, const Version& version) {
  const std::string& platform = version.signature().platform;
  return protocol::encode_model_configuration({
      .name = route.name,
      .platform = platform,
      .backend = platform == "onnx_onnxv1" ? "onnxruntime" : "weir",
      .inputs = describe(version.signature().inputs),
      .outputs = describe(version.signature().outputs),
  });
}

Result<std::string> decode_base64(std::string_view path, const std::string& text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int length = EVP_DecodeBlock(
      reinterpret_cast<unsigned char*>(bytes.data()),
      reinterpret_cast<const unsigned char*>(text.data()),
      static_cast<int>(text.size())
  );
  if (length < 0) {
    return fail(Code::invalid_argument, "the content of 'file:{}' is not base64", path);
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

}  // namespace

std::string server_metadata() {
  return protocol::encode_server_metadata({
      .name = "weir",
      .version = WEIR_VERSION,
      .extensions =
          {"binary_tensor_data",
           "model_configuration",
           "model_repository",
           "parameters",
           "statistics"},
  });
}

Result<std::string> model_document(
    const serve::Routes& routes,
    std::string_view name,
    std::string_view version,
    std::string_view operation
) {
  const auto table = routes.load();
  const EndpointRoute& route = *TRY(find_route(*table, name));
  if (operation == "stats" && version.empty()) {
    std::vector<protocol::ModelStatistics> all;
    add_statistics(route, all);
    return protocol::encode_statistics(all);
  }
  const Version& found = *TRY(find_version(route, version));
  if (operation == "ready") return protocol::encode_model_ready(name, true);
  if (operation == "stats") return protocol::encode_statistics({statistics_of(found)});
  if (operation == "config") return configuration_document(route, found);
  return metadata_document(route, found);
}

std::string all_statistics(const serve::Routes& routes) {
  std::vector<protocol::ModelStatistics> all;
  const auto table = routes.load();
  for (const auto& [name, route] : *table) add_statistics(*route, all);
  return protocol::encode_statistics(all);
}

std::string repository_index(const std::vector<control::EndpointView>& endpoints, bool ready_only) {
  std::vector<std::string> numbers;
  std::size_t count = 0;
  for (const auto& endpoint : endpoints) count += endpoint.versions.size();
  numbers.reserve(count);  // The entries borrow from it.
  std::vector<protocol::RepositoryEntry> entries;
  for (const control::EndpointView& endpoint : endpoints) {
    for (const control::VersionView& version : endpoint.versions) {
      const bool is_ready = version.loaded != nullptr && !endpoint.state.is_unloaded;
      if (ready_only && !is_ready) continue;
      const std::string& number = numbers.emplace_back(fmt::format("{}", version.entry.number));
      std::string_view reason;
      if (!is_ready) reason = "not loaded";
      if (endpoint.state.is_unloaded) reason = "unloaded";
      if (!endpoint.load_error.empty()) reason = endpoint.load_error;
      entries.push_back({endpoint.state.name, number, is_ready ? "READY" : "UNAVAILABLE", reason});
    }
  }
  return protocol::encode_repository_index(entries);
}

Result<void> load_files(
    control::Controller& controller,
    const std::string& name,
    const protocol::RepositoryRequest& request
) {
  control::Deployment deployment;
  deployment.endpoint = name;
  for (const auto& file : request.files) {
    std::string bytes = TRY(decode_base64(file.path, file.base64));
    if (file.path.ends_with(".yaml")) {
      deployment.sidecar = std::move(bytes);
    } else if (deployment.bytes.empty()) {
      deployment.file_name = file.path;
      deployment.bytes = std::move(bytes);
    } else {
      return fail(
          Code::invalid_argument,
          "'{}' is a second model file beside '{}'; a load takes one model and its sidecar",
          file.path,
          deployment.file_name
      );
    }
  }
  // What was loaded with these files before is loaded again.
  if (const auto known = controller.describe(name)) {
    const std::string hash = model::artifact_hash(deployment.bytes, deployment.sidecar);
    const auto* const entry = known->state.find(hash);
    if (entry != nullptr && entry->number == known->state.primary) return controller.load(name);
  }
  deployment.plan = TRY(rollout::parse_stages("100"));
  const rollout::Reason reason{.by = "v2 repository", .text = "load with files"};
  const auto deployed = TRY(controller.deploy(deployment, reason));
  if (deployed.state.rollout && deployed.state.rollout->is_active()) {
    TRY(controller.promote(name, rollout::Reach::end, reason));
  }
  return {};
}

}  // namespace weir::http
