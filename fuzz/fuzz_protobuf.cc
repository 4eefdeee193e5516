#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <grpc_service.pb.h>

#include "base/check.h"
#include "protocol/v2_protobuf.h"

// ModelInferRequest messages. What our decoder accepts, the generated class reads too, with the
// same names, shapes and raw bytes; its inputs are sent back as outputs, which the generated class
// reads as the same tensors.

namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using weir::protocol::PredictRequest;
using weir::protocol::PredictResponse;

void check_request(const PredictRequest& request, const ModelInferRequest& oracle) {
  CHECK(request.id == oracle.id(), "the id is the same");
  CHECK(request.input_count == static_cast<std::size_t>(oracle.inputs_size()), "so are the inputs");
  CHECK(request.outputs.size() == static_cast<std::size_t>(oracle.outputs_size()), "and outputs");
  for (std::size_t index = 0; index < request.input_count; ++index) {
    const auto& input = request.inputs[index];
    const auto& expected = oracle.inputs(static_cast<int>(index));
    CHECK(input.name == expected.name(), "the name is the same");
    CHECK(to_string(input.tensor.datatype()) == expected.datatype(), "so is the datatype");
    const auto shape = input.tensor.shape().dimensions();
    CHECK(shape.size() == static_cast<std::size_t>(expected.shape_size()), "so is the rank");
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      CHECK(shape[axis] == expected.shape(static_cast<int>(axis)), "so are the dimensions");
    }
  }
}

void check_answer(const PredictRequest& request, const ModelInferRequest& oracle) {
  PredictResponse response;
  response.model_name = "fuzz";
  response.id = request.id;
  for (std::size_t index = 0; index < request.input_count; ++index) {
    response.outputs.push_back({request.inputs[index].name, &request.inputs[index].tensor, true});
  }
  std::string message;
  CHECK(encode_infer_response(response, message).has_value(), "raw outputs can always be written");
  ModelInferResponse read;
  CHECK(read.ParseFromString(message), "the generated class reads our answer");
  CHECK(read.raw_output_contents_size() == oracle.inputs_size(), "one entry for each output");
  if (oracle.raw_input_contents_size() == 0) return;
  for (int index = 0; index < oracle.inputs_size(); ++index) {
    CHECK(read.raw_output_contents(index) == oracle.raw_input_contents(index), "the same bytes");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  static PredictRequest request;
  const auto model = weir::protocol::read_model_name(message, {});
  if (!decode_infer_request(message, {}, request) || !model) return 0;
  ModelInferRequest oracle;
  CHECK(oracle.ParseFromArray(data, static_cast<int>(size)), "the generated class reads it too");
  CHECK(model->name == oracle.model_name(), "the model is the same");
  CHECK(model->version == oracle.model_version(), "so is its version");
  check_request(request, oracle);
  check_answer(request, oracle);
  return 0;
}
