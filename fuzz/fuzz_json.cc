#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/check.h"
#include "protocol/v2.h"
#include "protocol/v2_binary.h"
#include "protocol/v2_documents.h"

// JSON bodies of V2 requests. What is accepted must be JSON for another parser too, and a tensor
// must survive the way through its binary form.

namespace {

using weir::protocol::append_binary;
using weir::protocol::binary_size;
using weir::protocol::fill_from_binary;
using weir::protocol::InputTensor;
using weir::protocol::PredictRequest;

void check_is_json(std::string_view text) {
  static simdjson::dom::parser parser;
  // Python's words for numbers that are not finite are taken, though they are not JSON.
  if (text.find("NaN") != std::string_view::npos) return;
  if (text.find("Infinity") != std::string_view::npos) return;
  const simdjson::error_code error = parser.parse(simdjson::padded_string(text)).error();
  // It refuses well-formed numbers that are large, also where nobody reads them.
  CHECK(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR, "accepted text is JSON");
}

void check_round_trip(const InputTensor& input) {
  std::string bytes;
  append_binary(input.tensor, bytes);
  CHECK(bytes.size() == binary_size(input.tensor), "the size is known before");
  InputTensor copy;
  const auto filled = fill_from_binary(bytes, input.tensor.datatype(), input.tensor.shape(), copy);
  CHECK(filled.has_value(), "a tensor's own bytes are accepted");
  std::string again;
  append_binary(copy.tensor, again);
  CHECK(bytes == again && copy.has_missing == input.has_missing, "bytes survive the round trip");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  static PredictRequest request;
  if (decode_v2(body, std::nullopt, {}, request)) {
    check_is_json(body);
    for (std::size_t index = 0; index < request.input_count; ++index) {
      check_round_trip(request.inputs[index]);
    }
  }
  if (weir::protocol::decode_repository_index(body) && !body.empty()) {
    if (body.find_first_not_of(" \t\r\n") != std::string_view::npos) check_is_json(body);
  }
  static_cast<void>(weir::protocol::decode_repository_request(body));
  return 0;
}
