#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "protocol/v2.h"
#include "protocol/v2_binary.h"

// Requests with binary tensors. The input is the value of Inference-Header-Content-Length, a line
// feed and the body. Accepted inputs are sent back as binary outputs and must be the same bytes.

namespace {

using weir::protocol::append_binary;
using weir::protocol::fill_from_binary;
using weir::protocol::InputTensor;
using weir::protocol::PredictRequest;
using weir::protocol::PredictResponse;

void check_raw(const PredictRequest& request) {
  InputTensor input;
  for (int datatype = 0; datatype <= static_cast<int>(weir::tensor::DataType::bytes); ++datatype) {
    const auto type = static_cast<weir::tensor::DataType>(datatype);
    const std::size_t element = weir::tensor::element_size(type);
    const auto count =
        element == 0 ? 1 : static_cast<std::int64_t>(request.raw_body.size() / element);
    if (!fill_from_binary(request.raw_body, type, {count}, input)) continue;
    std::string bytes;
    append_binary(input.tensor, bytes);
    CHECK(bytes == request.raw_body, "a raw tensor is the same bytes again");
  }
}

void check_answer(const PredictRequest& request, std::string_view binary_inputs) {
  PredictResponse response;
  response.model_name = "fuzz";
  response.id = request.id;
  for (std::size_t index = 0; index < request.input_count; ++index) {
    const InputTensor& input = request.inputs[index];
    response.outputs.push_back({input.name, &input.tensor, true});
  }
  std::string body;
  const auto headers = encode_v2(response, body);
  CHECK(headers.has_value(), "binary outputs can always be written");
  CHECK(headers->json_bytes <= body.size(), "the JSON is a part of the body");
  CHECK(
      body.size() - headers->json_bytes >= binary_inputs.size(),
      "what came in as binary goes out as binary"
  );
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const std::string_view header = input.substr(0, line_end);
  const std::string_view body = input.substr(line_end + 1);
  static PredictRequest request;
  if (!decode_v2(body, header, {}, request)) return 0;
  if (request.raw) {
    check_raw(request);
  } else {
    check_answer(request, body.substr(static_cast<std::size_t>(std::stoull(std::string(header)))));
  }
  return 0;
}
