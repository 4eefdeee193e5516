#include "serve/bind.h"

#include <cmath>
#include <cstring>

namespace weir::serve {
namespace {

using model::Signature;
using model::TensorSpec;
using protocol::InputTensor;
using protocol::PredictRequest;
using tensor::DataType;
using tensor::Shape;

std::string list_names(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (!text.empty()) text += ", ";
    text += '\'' + spec.name + '\'';
  }
  return text;
}

InputTensor* find_input(PredictRequest& request, std::string_view name) {
  for (std::size_t i = 0; i < request.input_count; ++i) {
    if (request.inputs[i].name == name) return &request.inputs[i];
  }
  return nullptr;
}

Result<void> check_tensor(const TensorSpec& spec, const tensor::Tensor& tensor) {
  if (tensor.datatype() != spec.datatype) {
    return fail(
        Code::invalid_argument,
        "input '{}' wants datatype {}, got {}",
        spec.name,
        tensor::to_string(spec.datatype),
        tensor::to_string(tensor.datatype())
    );
  }
  if (!spec.shape.accepts(tensor.shape())) {
    return fail(
        Code::invalid_argument,
        "input '{}' wants shape {}, got {}",
        spec.name,
        to_string(spec.shape),
        to_string(tensor.shape())
    );
  }
  return {};
}

bool is_missing(const tensor::Tensor& tensor, std::size_t index) {
  return std::isnan(tensor::to_double(tensor, index));
}

// Refuses NaN in the features that forbid it. Only looked for where there is one to find.
Result<void> check_missing(
    const Signature& signature, std::size_t input, const tensor::Tensor& tensor, std::size_t rows
) {
  if (rows == 0) return {};
  const std::size_t width = tensor.size() / rows;
  for (const model::Feature& feature : signature.features) {
    if (feature.input != input || feature.may_be_missing || feature.index >= width) continue;
    for (std::size_t row = 0; row < rows; ++row) {
      if (!is_missing(tensor, row * width + feature.index)) continue;
      return fail(
          Code::invalid_argument,
          "feature '{}' (input '{}', row {}, element {}) is missing (null or NaN), which its "
          "sidecar forbids with 'missing: refuse'",
          feature.name,
          signature.inputs[input].name,
          row,
          feature.index
      );
    }
  }
  return {};
}

bool forbids_missing(const Signature& signature) {
  for (const model::Feature& feature : signature.features) {
    if (!feature.may_be_missing) return true;
  }
  return false;
}

// The one input of a raw request: one row, whose bytes are the body.
Result<void> bind_raw(
    const Signature& signature, const PredictRequest& request, model::Inference& inference
) {
  if (signature.inputs.size() != 1) {
    return fail(
        Code::invalid_argument,
        "a raw binary request needs a model with one input; this one has {}: {}",
        signature.inputs.size(),
        list_names(signature.inputs)
    );
  }
  const TensorSpec& spec = signature.inputs.front();
  const std::size_t element = tensor::element_size(spec.datatype);
  const std::size_t bytes = request.raw_body.size();
  if (element == 0) {
    return fail(
        Code::invalid_argument, "input '{}' is BYTES, which a raw request cannot carry", spec.name
    );
  }
  Shape shape = spec.shape;
  std::int64_t known = 1;
  std::optional<std::size_t> open_axis;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == -1 && axis == 0 && signature.has_row_axis) shape.set(axis, 1);
    if (shape[axis] == -1 && !open_axis) {
      open_axis = axis;
    } else if (shape[axis] == -1) {
      shape.set(axis, 1);
    } else {
      known *= shape[axis];
    }
  }
  const auto elements = static_cast<std::int64_t>(bytes / element);
  if (open_axis) shape.set(*open_axis, known > 0 ? elements / known : 0);
  if (shape.element_count() != elements || bytes % element != 0) {
    return fail(
        Code::invalid_argument,
        "input '{}' of shape {} and datatype {} does not fit a raw body of {} bytes",
        spec.name,
        to_string(spec.shape),
        tensor::to_string(spec.datatype),
        bytes
    );
  }
  tensor::Tensor& tensor = inference.inputs.front();
  tensor.reset(spec.datatype, shape);
  if (bytes > 0) std::memcpy(tensor.raw().data(), request.raw_body.data(), bytes);
  inference.rows = 1;
  return {};
}

// Dimension 0 when it is variable in every input and the same in all of them, else one row.
std::size_t count_rows(const Signature& signature, const std::vector<tensor::Tensor>& inputs) {
  if (!signature.has_row_axis || inputs.empty()) return 1;
  const std::int64_t rows = inputs.front().shape()[0];
  for (const tensor::Tensor& tensor : inputs) {
    if (tensor.shape()[0] != rows) return 1;
  }
  return static_cast<std::size_t>(rows);
}

}  // namespace

Result<void> bind_inputs(
    const Signature& signature, PredictRequest& request, model::Inference& inference
) {
  inference.inputs.resize(signature.inputs.size());
  if (request.raw) return bind_raw(signature, request, inference);
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    InputTensor* input = find_input(request, spec.name);
    if (input == nullptr) {
      return fail(
          Code::invalid_argument,
          "input '{}' is missing; the model takes {}",
          spec.name,
          list_names(signature.inputs)
      );
    }
    TRY(check_tensor(spec, input->tensor));
    std::swap(inference.inputs[i], input->tensor);
  }
  if (request.input_count > signature.inputs.size()) {
    for (std::size_t i = 0; i < request.input_count; ++i) {
      if (signature.input_index(request.inputs[i].name)) continue;
      return fail(
          Code::invalid_argument,
          "the model has no input '{}'; it takes {}",
          request.inputs[i].name,
          list_names(signature.inputs)
      );
    }
  }
  inference.rows = count_rows(signature, inference.inputs);
  if (!forbids_missing(signature)) return {};
  for (std::size_t i = 0; i < inference.inputs.size(); ++i) {
    // Binary tensors carry NaN without the decoder seeing it.
    if (!tensor::is_floating(inference.inputs[i].datatype())) continue;
    TRY(check_missing(signature, i, inference.inputs[i], inference.rows));
  }
  return {};
}

Result<void> bind_outputs(
    const Signature& signature, const PredictRequest& request, std::vector<std::size_t>& outputs
) {
  outputs.clear();
  if (request.outputs.empty()) {
    for (std::size_t i = 0; i < signature.outputs.size(); ++i) outputs.push_back(i);
    return {};
  }
  for (const protocol::RequestedOutput& wanted : request.outputs) {
    const auto index = signature.output_index(wanted.name);
    if (!index) {
      return fail(
          Code::invalid_argument,
          "the model has no output '{}'; it gives {}",
          wanted.name,
          list_names(signature.outputs)
      );
    }
    outputs.push_back(*index);
  }
  return {};
}

}  // namespace weir::serve
