#include "protocol/v2_documents.h"

#include "protocol/json_reader.h"
#include "protocol/json_writer.h"
#include "protocol/v2_fields.h"

namespace weir::protocol {
namespace {

using tensor::DataType;

constexpr std::size_t max_depth = 100;

void write_tensors(
    std::string_view key, const std::vector<TensorMetadata>& tensors, JsonWriter& writer
) {
  writer.key(key);
  writer.begin_array();
  for (const TensorMetadata& tensor : tensors) {
    writer.begin_object();
    writer.member("name", tensor.name);
    writer.member("datatype", to_string(tensor.datatype));
    writer.key("shape");
    writer.values(tensor.shape.dimensions());
    writer.end_object();
  }
  writer.end_array();
}

// In a configuration datatypes have names of their own: TYPE_FP32, and TYPE_STRING for BYTES.
void write_configured_tensors(
    std::string_view key, const std::vector<TensorMetadata>& tensors, JsonWriter& writer
) {
  writer.key(key);
  writer.begin_array();
  for (const TensorMetadata& tensor : tensors) {
    const std::string_view name =
        tensor.datatype == DataType::bytes ? "STRING" : to_string(tensor.datatype);
    writer.begin_object();
    writer.member("name", tensor.name);
    writer.member("data_type", "TYPE_" + std::string(name));
    writer.key("dims");
    writer.values(tensor.shape.dimensions());
    writer.end_object();
  }
  writer.end_array();
}

void write_duration(std::string_view key, const StatisticDuration& duration, JsonWriter& writer) {
  writer.key(key);
  writer.begin_object();
  writer.member("count", duration.count);
  writer.member("ns", duration.ns);
  writer.end_object();
}

void write_inference_stats(const ModelStatistics& model, JsonWriter& writer) {
  writer.key("inference_stats");
  writer.begin_object();
  write_duration("success", model.success, writer);
  write_duration("fail", model.fail, writer);
  write_duration("queue", model.queue, writer);
  write_duration("compute_input", model.compute_input, writer);
  write_duration("compute_infer", model.compute_infer, writer);
  write_duration("compute_output", model.compute_output, writer);
  write_duration("cache_hit", model.cache_hit, writer);
  write_duration("cache_miss", model.cache_miss, writer);
  writer.end_object();
}

void write_model_statistics(const ModelStatistics& model, JsonWriter& writer) {
  writer.begin_object();
  writer.member("name", model.name);
  if (!model.version.empty()) writer.member("version", model.version);
  writer.member("last_inference", model.last_inference_ms);
  writer.member("inference_count", model.inference_count);
  writer.member("execution_count", model.execution_count);
  write_inference_stats(model, writer);
  writer.key("response_stats");  // For models that answer in several parts: none here.
  writer.begin_object();
  writer.end_object();
  writer.key("batch_stats");
  writer.begin_array();
  for (const ModelStatistics::Batch& batch : model.batches) {
    writer.begin_object();
    writer.member("batch_size", batch.batch_size);
    write_duration("compute_input", batch.compute_input, writer);
    write_duration("compute_infer", batch.compute_infer, writer);
    write_duration("compute_output", batch.compute_output, writer);
    writer.end_object();
  }
  writer.end_array();
  writer.key("memory_usage");
  writer.begin_array();
  for (const ModelStatistics::Memory& memory : model.memory) {
    writer.begin_object();
    writer.member("type", memory.type);
    writer.member("id", memory.id);
    writer.member("byte_size", memory.byte_size);
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
}

bool is_blank(std::string_view body) {
  return body.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

Result<void> decode_repository_parameter(
    JsonReader& reader, const std::string& name, RepositoryRequest& request
) {
  constexpr std::string_view file_prefix = "file:";
  const auto no_limit = static_cast<std::size_t>(-1);  // The body is bounded already.
  if (name == "unload_dependents") {
    request.unload_dependents = TRY(read_flag(reader, {}, name));
    return {};
  }
  if (name == "config") return read_text(reader, {}, name, no_limit, request.config.emplace());
  if (name.starts_with(file_prefix)) {
    RepositoryRequest::File& file = request.files.emplace_back();
    file.path = name.substr(file_prefix.size());
    return read_text(reader, {}, name, no_limit, file.base64);
  }
  return fail(
      Code::invalid_argument,
      "parameter '{}' is unknown; a repository request takes 'config', 'file:PATH' and "
      "'unload_dependents'",
      name.substr(0, 64)
  );
}

}  // namespace

std::string encode_error(std::string_view message) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("error", message);
  writer.end_object();
  return text;
}

std::string encode_health(bool live, bool ready) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("live", live);
  writer.member("ready", ready);
  writer.end_object();
  return text;
}

std::string encode_server_metadata(const ServerMetadata& server) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("name", server.name);
  writer.member("version", server.version);
  writer.key("extensions");
  writer.begin_array();
  for (const std::string_view extension : server.extensions) writer.value(extension);
  writer.end_array();
  writer.end_object();
  return text;
}

std::string encode_model_ready(std::string_view name, bool ready) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("name", name);
  writer.member("ready", ready);
  writer.end_object();
  return text;
}

std::string encode_model_metadata(const ModelMetadata& model) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("name", model.name);
  if (!model.versions.empty()) {
    writer.key("versions");
    writer.begin_array();
    for (const std::string_view version : model.versions) writer.value(version);
    writer.end_array();
  }
  writer.member("platform", model.platform);
  write_tensors("inputs", model.inputs, writer);
  write_tensors("outputs", model.outputs, writer);
  writer.end_object();
  return text;
}

std::string encode_model_configuration(const ModelConfiguration& model) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.member("name", model.name);
  writer.member("platform", model.platform);
  writer.member("backend", model.backend);
  writer.member("max_batch_size", 0);
  write_configured_tensors("input", model.inputs, writer);
  write_configured_tensors("output", model.outputs, writer);
  writer.end_object();
  return text;
}

std::string encode_repository_index(const std::vector<RepositoryEntry>& entries) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_array();
  for (const RepositoryEntry& entry : entries) {
    writer.begin_object();
    writer.member("name", entry.name);
    if (!entry.version.empty()) writer.member("version", entry.version);
    writer.member("state", entry.state);
    writer.member("reason", entry.reason);
    writer.end_object();
  }
  writer.end_array();
  return text;
}

Result<bool> decode_repository_index(std::string_view body) {
  if (is_blank(body)) return false;
  std::string scratch;
  JsonReader reader(body, scratch, max_depth);
  TRY(want(reader, JsonKind::object, {}, "the body"));
  reader.begin();
  bool only_ready = false;
  std::string_view name;
  while (reader.next_member(name)) {
    if (name == "ready") {
      only_ready = TRY(read_flag(reader, {}, "ready"));
    } else if (!reader.skip_value()) {
      break;
    }
  }
  if (!reader.finish()) return malformed(reader);
  return only_ready;
}

Result<RepositoryRequest> decode_repository_request(std::string_view body) {
  RepositoryRequest request;
  if (is_blank(body)) return request;
  std::string scratch;
  JsonReader reader(body, scratch, max_depth);
  TRY(want(reader, JsonKind::object, {}, "the body"));
  reader.begin();
  std::string_view name;
  while (reader.next_member(name)) {
    if (name != "parameters") {
      if (!reader.skip_value()) break;
      continue;
    }
    if (take_null(reader)) continue;
    TRY(want(reader, JsonKind::object, {}, "parameters"));
    reader.begin();
    while (reader.next_member(name)) {
      TRY(decode_repository_parameter(reader, std::string(name), request));
    }
  }
  if (!reader.finish()) return malformed(reader);
  return request;
}

std::string encode_statistics(const std::vector<ModelStatistics>& models) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.key("model_stats");
  writer.begin_array();
  for (const ModelStatistics& model : models) write_model_statistics(model, writer);
  writer.end_array();
  writer.end_object();
  return text;
}

}  // namespace weir::protocol
