#include "serve/record_layout.h"

#include <algorithm>

#include "ledger/record.h"

namespace weir::serve {
namespace {

using model::Keep;
using model::Signature;
using tensor::ColumnSpec;
using tensor::DataType;

// Elements of one row of a tensor; 0 when a dimension other than the row axis is variable.
std::size_t row_elements(const model::TensorSpec& spec, bool has_row_axis) {
  std::size_t product = 1;
  for (std::size_t axis = has_row_axis ? 1 : 0; axis < spec.shape.rank(); ++axis) {
    if (spec.shape[axis] < 0) return 0;
    product *= static_cast<std::size_t>(spec.shape[axis]);
  }
  return product;
}

bool is_list(std::size_t elements) {
  return elements == 0 || elements > Signature::max_features_per_input;
}

// What a column of this datatype is stored as: half precision as FP32, a hash as text.
DataType stored_datatype(DataType datatype, Keep keep) {
  if (keep == Keep::hash) return DataType::bytes;
  if (datatype == DataType::fp16 || datatype == DataType::bf16) return DataType::fp32;
  return datatype;
}

}  // namespace

RecordLayout::RecordLayout(
    const Signature& signature,
    std::span<const std::string> endpoint_features,
    std::span<const std::string> metadata
)
    : metadata_(
          metadata.begin(),
          metadata.begin() + static_cast<std::ptrdiff_t>(std::min(metadata.size(), max_metadata))
      ) {
  tensor::ColumnSpecs features;
  tensor::ColumnSpecs outputs;
  tensor::ColumnSpecs headers;
  for (const std::string& name : metadata_) headers.push_back({name, DataType::bytes, false});
  add_inputs(signature, endpoint_features, features);
  add_outputs(signature, outputs);
  specs_ = ledger::record_specs(features, outputs, headers);
}

void RecordLayout::add_inputs(
    const Signature& signature,
    std::span<const std::string> endpoint_features,
    tensor::ColumnSpecs& columns
) {
  std::size_t position = 0;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const model::TensorSpec& spec = signature.inputs[i];
    const std::size_t elements = row_elements(spec, signature.has_row_axis);
    if (is_list(elements)) {
      // A list of texts has no column type; its elements are not recorded.
      if (spec.datatype == DataType::bytes) continue;
      const DataType stored = stored_datatype(spec.datatype, Keep::keep);
      columns.push_back({spec.name, stored, true});
      sources_.push_back({Side::input, i, 0, true, Keep::keep, spec.datatype});
      continue;
    }
    for (std::size_t element = 0; element < elements; ++element, ++position) {
      std::string name = elements == 1 ? spec.name : fmt::format("{}_{}", spec.name, element);
      Keep keep = Keep::keep;
      for (const model::Feature& feature : signature.features) {
        if (feature.input != i || feature.index != element) continue;
        const bool made_up = feature.name == name || feature.name.empty();
        keep = feature.store;
        if (!made_up) name = feature.name;
        if (made_up && position < endpoint_features.size()) name = endpoint_features[position];
      }
      if (keep == Keep::drop) continue;
      columns.push_back({name, stored_datatype(spec.datatype, keep), false});
      sources_.push_back({Side::input, i, element, false, keep, spec.datatype});
    }
  }
}

void RecordLayout::add_outputs(const Signature& signature, tensor::ColumnSpecs& columns) {
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
    const model::TensorSpec& spec = signature.outputs[i];
    const std::size_t elements = row_elements(spec, signature.has_row_axis);
    if (is_list(elements)) {
      if (spec.datatype == DataType::bytes) continue;
      const DataType stored = stored_datatype(spec.datatype, Keep::keep);
      columns.push_back({"output_" + spec.name, stored, true});
      sources_.push_back({Side::output, i, 0, true, Keep::keep, spec.datatype});
      continue;
    }
    for (std::size_t element = 0; element < elements; ++element) {
      std::string name = elements == 1 ? fmt::format("output_{}", spec.name)
                                       : fmt::format("output_{}_{}", spec.name, element);
      columns.push_back({name, stored_datatype(spec.datatype, Keep::keep), false});
      sources_.push_back({Side::output, i, element, false, Keep::keep, spec.datatype});
    }
  }
}

}  // namespace weir::serve
