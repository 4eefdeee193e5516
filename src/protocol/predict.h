#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "tensor/tensor.h"

// A prediction request and its answer, independent of how they travel.

namespace weir::protocol {

// The value of a V2 parameter.
using ParameterValue = std::variant<bool, std::int64_t, double, std::string>;
struct Parameter {
  std::string name;
  ParameterValue value;
};

struct InputTensor {
  std::string name;
  tensor::Tensor tensor;
  // JSON null or NaN stood in the data; as NaN in the tensor (floating-point types only).
  bool has_missing = false;
};

struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;  // parameters.binary_data; absent = the request's default.
};

// Decoders fill it in place and reuse its memory: see clear().
struct PredictRequest {
  std::string id;                   // Empty = the client gave none.
  std::vector<InputTensor> inputs;  // The first `input_count` are valid.
  std::size_t input_count = 0;
  std::vector<RequestedOutput> outputs;  // Empty = all.
  bool binary_output = false;            // parameters.binary_data_output.
  bool raw = false;  // Raw binary request: one unnamed input, answer all binary.
  // With `raw`: the bytes of that input, borrowed from the decoded body; `inputs` is empty. Whoever
  // knows the signature reads them with fill_from_binary(), see v2_binary.h.
  std::string_view raw_body;
  std::optional<std::int64_t> timeout_us;  // parameters.timeout
  std::optional<std::uint64_t> priority;   // parameters.priority
  std::optional<Moment> time;              // parameters.weir_time: RFC 3339 or µs
  std::string routing_key;                 // parameters["weir-routing-key"]
  std::vector<Parameter> parameters;       // All other, custom ones.

  // Forgets the content, keeps the memory of tensors and strings.
  void clear();
  // The next unused element of `inputs`, with its memory from last time.
  InputTensor& add_input();
};

struct OutputTensor {
  std::string_view name;                   // Owned by the signature.
  const tensor::Tensor* tensor = nullptr;  // Owned by the inference.
  bool binary = false;
};

// Everything an encoder needs; it borrows.
struct PredictResponse {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::string_view arm;       // parameters.weir_arm
  std::string_view decision;  // parameters.weir_decision
  std::vector<OutputTensor> outputs;
};

}  // namespace weir::protocol
