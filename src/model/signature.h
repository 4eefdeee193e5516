#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

// What a version takes and gives, and what it means.

namespace weir::model {

struct TensorSpec {
  std::string name;
  tensor::DataType datatype = tensor::DataType::fp32;
  tensor::Shape shape;  // -1 where variable; the first axis is the row axis when `has_row_axis`.
};

// Whether a feature's values go into the ledger.
enum class Keep : std::uint8_t { keep, hash, drop };

// One named input column. Feature names belong to the endpoint; a version without names of its own
// takes them by position.
struct Feature {
  std::string name;
  std::string unit;            // Empty when unknown.
  bool may_be_missing = true;  // JSON null or NaN is accepted (floating-point inputs only).
  Keep store = Keep::keep;
  std::size_t input = 0;  // Which input tensor…
  std::size_t index = 0;  // …and which element of a row in it.
};

enum class Task : std::uint8_t { binary, multiclass, regression, other };
std::string_view to_string(Task task);
std::optional<Task> parse_task(std::string_view name);

// One number or text per row, taken from an output: element `index` of the row.
struct OutputElement {
  std::size_t output = 0;
  std::size_t index = 0;
};

struct Signature {
  std::string platform;  // "onnx_onnxv1", "weir_forest", "remote_v2".
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;

  Task task = Task::other;
  std::vector<std::string> classes;  // Names of the classes by index; may be empty.
  // One per element of a row over all inputs in order; an input with more than
  // `max_features_per_input` elements a row has none and is recorded as one list column.
  std::vector<Feature> features;
  // Binary: the probability of class 1. Multiclass: the probability of the predicted class (index
  // is ignored: the largest of the row). Regression: the value.
  std::optional<OutputElement> score;
  // The class label (INT64 or BYTES output) or the regression's value; when it is absent and there
  // is a score, binary predicts 1 for a score > 0.5 and multiclass the largest.
  std::optional<OutputElement> predicted;

  // Dimension 0 of every input is variable: it counts rows. Otherwise a request is one row.
  bool has_row_axis = false;

  static constexpr std::size_t max_features_per_input = 256;

  // The index of an input or output by name.
  std::optional<std::size_t> input_index(std::string_view name) const;
  std::optional<std::size_t> output_index(std::string_view name) const;
};

// Fills what can be derived from inputs and outputs alone: has_row_axis, features with the names
// input_0 …, task/score/predicted from the usual pair of outputs (label + probabilities) or from a
// single floating-point output. Called by every session after it read its artifact, before the
// sidecar.
void derive_meaning(Signature& signature);

// Applies a sidecar (docs: <artifact>.yaml with task, classes, inputs, outputs, isolation). Unknown
// keys are errors that give the line. `file` is for messages only.
struct Sidecar {
  bool isolation_process = false;
  bool device_cuda = false;
};
Result<Sidecar> apply_sidecar(std::string_view yaml, std::string_view file, Signature& signature);

// Whether clients of a version with signature `served` can be answered by `candidate`: same inputs
// and at least the same outputs by name, datatype and compatible shape. The error lists every
// difference and says how a sidecar maps it.
Result<void> check_can_replace(const Signature& served, const Signature& candidate);

}  // namespace weir::model
