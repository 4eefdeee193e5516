#include "protocol/request_checks.h"

#include <algorithm>

namespace weir::protocol {

using tensor::DataType;
using tensor::Shape;

Result<void> add_dimension(std::int64_t size, const Place& place, Shape& shape) {
  if (size < 0) {
    return fail(
        Code::invalid_argument,
        "{}: dimension {} of the shape is {}; a request gives the actual size",
        to_string(place),
        shape.rank(),
        size
    );
  }
  if (shape.push_back(size)) return {};
  return fail(
      Code::invalid_argument,
      "{}: the shape has more than {} dimensions",
      to_string(place),
      Shape::max_rank
  );
}

Result<std::size_t> take_elements(
    const Shape& shape,
    const Place& place,
    const DecodeOptions& options,
    std::uint64_t& elements_left
) {
  const auto count = shape.element_count();
  if (!count || static_cast<std::uint64_t>(*count) > elements_left) {
    return fail(
        Code::invalid_argument,
        "{}: shape {} is too large; the inputs of a request have at most {} elements together",
        to_string(place),
        to_string(shape),
        options.max_elements
    );
  }
  elements_left -= static_cast<std::uint64_t>(*count);
  return static_cast<std::size_t>(*count);
}

Result<DataType> read_datatype(std::string_view name, const Place& place) {
  if (const auto datatype = tensor::parse_datatype(name)) return *datatype;
  return fail(
      Code::invalid_argument,
      "{}: datatype '{}' is unknown; use BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, "
      "INT32, INT64, FP16, BF16, FP32, FP64 or BYTES",
      to_string(place),
      name.substr(0, 64)
  );
}

Result<void> refuse_unsupported(std::string_view name, const Place& place) {
  if (name.starts_with("shared_memory_")) {
    return fail(
        Code::invalid_argument,
        "{}: shared memory is not supported; send the data in the request",
        to_string(place)
    );
  }
  if (name == "classification") {
    return fail(
        Code::invalid_argument,
        "{}: the parameter 'classification' is not supported; ask for the plain output",
        to_string(place)
    );
  }
  return {};
}

Result<void> check_input_is_new(const PredictRequest& request) {
  const std::string& name = request.inputs[request.input_count - 1].name;
  for (std::size_t index = 0; index + 1 < request.input_count; ++index) {
    if (request.inputs[index].name == name) {
      return fail(Code::invalid_argument, "input '{}' is given twice", name);
    }
  }
  return {};
}

Result<void> check_output_is_new(const PredictRequest& request) {
  const std::string& name = request.outputs.back().name;
  const auto same = [&](const RequestedOutput& other) { return other.name == name; };
  if (std::ranges::count_if(request.outputs, same) == 1) return {};
  return fail(Code::invalid_argument, "output '{}' is asked for twice", name);
}

Result<void> check_input_count(const PredictRequest& request, const DecodeOptions& options) {
  if (request.input_count < options.max_inputs) return {};
  return fail(Code::invalid_argument, "the request has more than {} inputs", options.max_inputs);
}

Result<void> check_output_count(const PredictRequest& request, const DecodeOptions& options) {
  if (request.outputs.size() < options.max_inputs) return {};
  return fail(
      Code::invalid_argument, "the request asks for more than {} outputs", options.max_inputs
  );
}

}  // namespace weir::protocol
