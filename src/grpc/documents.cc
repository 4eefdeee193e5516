#include "grpc/documents.h"

#include <grpc_service.pb.h>

#include "control/v2_views.h"
#include "grpc/status.h"

namespace weir::grpc {
namespace {

using LoadRequest = inference::RepositoryModelLoadRequest;
using LoadResponse = inference::RepositoryModelLoadResponse;
using UnloadRequest = inference::RepositoryModelUnloadRequest;
using UnloadResponse = inference::RepositoryModelUnloadResponse;
using protocol::StatisticDuration;
using protocol::TensorMetadata;
using tensor::DataType;

inference::DataType configuration_type(DataType datatype) {
  switch (datatype) {
    case DataType::boolean:
      return inference::TYPE_BOOL;
    case DataType::uint8:
      return inference::TYPE_UINT8;
    case DataType::uint16:
      return inference::TYPE_UINT16;
    case DataType::uint32:
      return inference::TYPE_UINT32;
    case DataType::uint64:
      return inference::TYPE_UINT64;
    case DataType::int8:
      return inference::TYPE_INT8;
    case DataType::int16:
      return inference::TYPE_INT16;
    case DataType::int32:
      return inference::TYPE_INT32;
    case DataType::int64:
      return inference::TYPE_INT64;
    case DataType::fp16:
      return inference::TYPE_FP16;
    case DataType::bf16:
      return inference::TYPE_BF16;
    case DataType::fp32:
      return inference::TYPE_FP32;
    case DataType::fp64:
      return inference::TYPE_FP64;
    case DataType::bytes:
      return inference::TYPE_STRING;
  }
  return inference::TYPE_INVALID;
}

void fill(inference::StatisticDuration& to, const StatisticDuration& from) {
  to.set_count(from.count);
  to.set_ns(from.ns);
}

void fill(inference::ModelMetadataResponse::TensorMetadata& to, const TensorMetadata& from) {
  to.set_name(std::string(from.name));
  to.set_datatype(std::string(to_string(from.datatype)));
  for (const std::int64_t size : from.shape.dimensions()) to.add_shape(size);
}

template <class To>
void fill_configured(To& to, const TensorMetadata& from) {
  to.set_name(std::string(from.name));
  to.set_data_type(configuration_type(from.datatype));
  for (const std::int64_t size : from.shape.dimensions()) to.add_dims(size);
}

void fill(inference::ModelStatistics& to, const protocol::ModelStatistics& from) {
  to.set_name(std::string(from.name));
  to.set_version(std::string(from.version));
  to.set_last_inference(static_cast<std::uint64_t>(from.last_inference_ms));
  to.set_inference_count(from.inference_count);
  to.set_execution_count(from.execution_count);
  inference::InferStatistics& stats = *to.mutable_inference_stats();
  fill(*stats.mutable_success(), from.success);
  fill(*stats.mutable_fail(), from.fail);
  fill(*stats.mutable_queue(), from.queue);
  fill(*stats.mutable_compute_input(), from.compute_input);
  fill(*stats.mutable_compute_infer(), from.compute_infer);
  fill(*stats.mutable_compute_output(), from.compute_output);
  fill(*stats.mutable_cache_hit(), from.cache_hit);
  fill(*stats.mutable_cache_miss(), from.cache_miss);
  for (const auto& batch : from.batches) {
    inference::InferBatchStatistics& added = *to.add_batch_stats();
    added.set_batch_size(batch.batch_size);
    fill(*added.mutable_compute_input(), batch.compute_input);
    fill(*added.mutable_compute_infer(), batch.compute_infer);
    fill(*added.mutable_compute_output(), batch.compute_output);
  }
  for (const auto& memory : from.memory) {
    inference::MemoryUsage& added = *to.add_memory_usage();
    added.set_type(std::string(memory.type));
    added.set_id(memory.id);
    added.set_byte_size(memory.byte_size);
  }
}

// --- one function per call ------------------------------------------------------------------

Result<void> answer(
    Shared&, const inference::ServerLiveRequest&, inference::ServerLiveResponse& response
) {
  response.set_live(true);
  return {};
}

Result<void> answer(
    Shared& shared, const inference::ServerReadyRequest&, inference::ServerReadyResponse& response
) {
  response.set_ready(shared.is_ready);
  return {};
}

Result<void> answer(
    Shared& shared,
    const inference::ModelReadyRequest& request,
    inference::ModelReadyResponse& response
) {
  const auto table = shared.sources.routes.load();
  const auto ready = control::model_ready(*table, request.name(), request.version());
  if (!ready && ready.error().code != Code::unavailable) return ready;
  response.set_ready(ready.has_value());
  return {};
}

Result<void> answer(
    Shared&, const inference::ServerMetadataRequest&, inference::ServerMetadataResponse& response
) {
  const protocol::ServerMetadata server = control::server_metadata();
  response.set_name(std::string(server.name));
  response.set_version(std::string(server.version));
  for (const std::string_view name : server.extensions) response.add_extensions(std::string(name));
  return {};
}

Result<void> answer(
    Shared& shared,
    const inference::ModelMetadataRequest& request,
    inference::ModelMetadataResponse& response
) {
  const auto table = shared.sources.routes.load();
  const auto model = TRY(control::model_metadata(*table, request.name(), request.version()));
  response.set_name(std::string(model.name));
  for (const std::string_view version : model.versions) response.add_versions(std::string(version));
  response.set_platform(std::string(model.platform));
  for (const TensorMetadata& input : model.inputs) fill(*response.add_inputs(), input);
  for (const TensorMetadata& output : model.outputs) fill(*response.add_outputs(), output);
  return {};
}

Result<void> answer(
    Shared& shared,
    const inference::ModelConfigRequest& request,
    inference::ModelConfigResponse& response
) {
  const auto table = shared.sources.routes.load();
  const auto model = TRY(control::model_configuration(*table, request.name(), request.version()));
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(std::string(model.name));
  config.set_platform(std::string(model.platform));
  config.set_backend(std::string(model.backend));
  for (const TensorMetadata& input : model.inputs) fill_configured(*config.add_input(), input);
  for (const TensorMetadata& output : model.outputs) fill_configured(*config.add_output(), output);
  return {};
}

Result<void> answer(
    Shared& shared,
    const inference::ModelStatisticsRequest& request,
    inference::ModelStatisticsResponse& response
) {
  const auto table = shared.sources.routes.load();
  const auto all = TRY(control::model_statistics(*table, request.name(), request.version()));
  for (const protocol::ModelStatistics& model : all) fill(*response.add_model_stats(), model);
  return {};
}

Result<void> answer(
    Shared& shared,
    const inference::RepositoryIndexRequest& request,
    inference::RepositoryIndexResponse& response
) {
  const auto endpoints = shared.sources.controller.list();
  for (const auto& entry : control::repository_index(endpoints, request.ready())) {
    inference::RepositoryIndexResponse::ModelIndex& model = *response.add_models();
    model.set_name(std::string(entry.name));
    model.set_version(entry.version);
    model.set_state(std::string(entry.state));
    model.set_reason(std::string(entry.reason));
  }
  return {};
}

Result<void> answer(Shared& shared, const LoadRequest& request, LoadResponse&) {
  constexpr std::string_view prefix = "file:";
  std::vector<control::ModelFile> files;
  for (const auto& [name, value] : request.parameters()) {
    if (!name.starts_with(prefix)) continue;
    if (!value.has_bytes_param()) {
      return fail(Code::invalid_argument, "the content of '{}' has to be a bytes_param", name);
    }
    files.push_back({name.substr(prefix.size()), value.bytes_param()});
  }
  return control::load_model(shared.sources.controller, request.model_name(), std::move(files));
}

Result<void> answer(Shared& shared, const UnloadRequest& request, UnloadResponse&) {
  return shared.sources.controller.unload(request.model_name());
}

// The message in, the message out.
template <class Request, class Response>
::grpc::Status call(Shared& shared, std::string_view message, std::string& out) {
  Request request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return {
        ::grpc::StatusCode::INVALID_ARGUMENT,
        "the request is not a readable " + Request::descriptor()->name() + " message"};
  }
  Response response;
  if (const Result<void> done = answer(shared, request, response); !done) {
    return to_status(done.error());
  }
  response.SerializeToString(&out);
  return ::grpc::Status::OK;
}

::grpc::Status no_shared_memory(Shared&, std::string_view, std::string&) {
  return {
      ::grpc::StatusCode::UNIMPLEMENTED,
      "shared memory is not supported: send tensors in raw_input_contents, which are copied once"};
}

::grpc::Status no_trace(Shared&, std::string_view, std::string&) {
  return {
      ::grpc::StatusCode::UNIMPLEMENTED,
      "there are no trace settings: every prediction is in the ledger, ask with 'weir sql'"};
}

::grpc::Status no_log_settings(Shared&, std::string_view, std::string&) {
  return {
      ::grpc::StatusCode::UNIMPLEMENTED,
      "log settings cannot be changed from outside: start the server with --log-level"};
}

}  // namespace

const std::vector<Method>& inference_methods() {
  using namespace inference;
#define WEIR_METHOD(name) \
  "/inference.GRPCInferenceService/" #name, call<name##Request, name##Response>
#define WEIR_ABSENT(name, why) "/inference.GRPCInferenceService/" #name, why
  static const std::vector<Method> methods = {
      {WEIR_METHOD(ServerLive)},
      {WEIR_METHOD(ServerReady)},
      {WEIR_METHOD(ModelReady)},
      {WEIR_METHOD(ServerMetadata)},
      {WEIR_METHOD(ModelMetadata)},
      {WEIR_METHOD(ModelConfig)},
      {WEIR_METHOD(ModelStatistics)},
      {WEIR_METHOD(RepositoryIndex)},
      {WEIR_METHOD(RepositoryModelLoad), true},
      {WEIR_METHOD(RepositoryModelUnload), true},
      {WEIR_ABSENT(SystemSharedMemoryStatus, no_shared_memory)},
      {WEIR_ABSENT(SystemSharedMemoryRegister, no_shared_memory)},
      {WEIR_ABSENT(SystemSharedMemoryUnregister, no_shared_memory)},
      {WEIR_ABSENT(CudaSharedMemoryStatus, no_shared_memory)},
      {WEIR_ABSENT(CudaSharedMemoryRegister, no_shared_memory)},
      {WEIR_ABSENT(CudaSharedMemoryUnregister, no_shared_memory)},
      {WEIR_ABSENT(TraceSetting, no_trace)},
      {WEIR_ABSENT(LogSettings, no_log_settings)},
  };
#undef WEIR_METHOD
#undef WEIR_ABSENT
  return methods;
}

}  // namespace weir::grpc
