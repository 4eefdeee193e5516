#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/datatype.h"
#include "tensor/shape.h"

// The V2 bodies besides inference: plain structs to JSON text, and the few bodies that clients post
// to the model repository. Thread-safe. Everything borrowed lives until the call returns.

namespace weir::protocol {

// {"error": message}
std::string encode_error(std::string_view message);

// GET /v2/health/live and /ready: one body for both, because clients read either member.
std::string encode_health(bool live, bool ready);

// GET /v2
struct ServerMetadata {
  std::string_view name;
  std::string_view version;
  std::vector<std::string_view> extensions;
};
std::string encode_server_metadata(const ServerMetadata& server);

// GET /v2/models/M/ready
std::string encode_model_ready(std::string_view name, bool ready);

struct TensorMetadata {
  std::string_view name;
  tensor::DataType datatype = tensor::DataType::fp32;
  tensor::Shape shape;  // -1 where variable.
};

// GET /v2/models/M
struct ModelMetadata {
  std::string_view name;
  std::vector<std::string_view> versions;  // Left out when empty.
  std::string_view platform;
  std::vector<TensorMetadata> inputs;
  std::vector<TensorMetadata> outputs;
};
std::string encode_model_metadata(const ModelMetadata& model);

// GET /v2/models/M/config: the part of Triton's model configuration that means something here.
// max_batch_size is 0, so that dims are the whole shape.
struct ModelConfiguration {
  std::string_view name;
  std::string_view platform;
  std::string_view backend;
  std::vector<TensorMetadata> inputs;
  std::vector<TensorMetadata> outputs;
};
std::string encode_model_configuration(const ModelConfiguration& model);

// POST /v2/repository/index
struct RepositoryEntry {
  std::string_view name;
  std::string version;     // Left out when empty.
  std::string_view state;  // READY, LOADING, UNLOADING, UNAVAILABLE
  std::string_view reason;
};
std::string encode_repository_index(const std::vector<RepositoryEntry>& entries);
// The request of the index: empty or {"ready": bool}.
Result<bool> decode_repository_index(std::string_view body);

// POST /v2/repository/models/M/{load,unload}: empty or {"parameters": {...}}. The contents of
// "file:…" parameters stay base64.
struct RepositoryRequest {
  struct File {
    std::string path;  // Without "file:".
    std::string base64;
  };
  std::optional<std::string> config;
  std::vector<File> files;
  bool unload_dependents = false;
};
Result<RepositoryRequest> decode_repository_request(std::string_view body);

// How often and how long in total; both only grow.
struct StatisticDuration {
  std::uint64_t count = 0;
  std::uint64_t ns = 0;
};

// GET /v2/models/stats and /v2/models/M[/versions/V]/stats
struct ModelStatistics {
  struct Batch {
    std::uint64_t batch_size = 0;
    StatisticDuration compute_input;
    StatisticDuration compute_infer;
    StatisticDuration compute_output;
  };
  struct Memory {
    std::string_view type = "CPU";
    std::int64_t id = 0;
    std::uint64_t byte_size = 0;
  };
  std::string_view name;
  std::string_view version;            // Left out when empty.
  std::int64_t last_inference_ms = 0;  // Since the epoch; 0 = never.
  std::uint64_t inference_count = 0;   // Rows.
  std::uint64_t execution_count = 0;   // Runs of the model.
  StatisticDuration success;
  StatisticDuration fail;
  StatisticDuration queue;
  StatisticDuration compute_input;
  StatisticDuration compute_infer;
  StatisticDuration compute_output;
  StatisticDuration cache_hit;
  StatisticDuration cache_miss;
  std::vector<Batch> batches;
  std::vector<Memory> memory;
};
std::string encode_statistics(const std::vector<ModelStatistics>& models);

}  // namespace weir::protocol
