#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/predict.h"

// The Open Inference Protocol V2 over REST: bytes of a body to a PredictRequest and back, as JSON,
// JSON with binary tensors, or one raw tensor. Thread-safe: each thread keeps a parser of its own.

namespace weir::protocol {

// Beyond a limit the request is refused with invalid_argument, before memory is taken for it.
struct DecodeOptions {
  std::size_t max_json_depth = 100;
  std::size_t max_inputs = 256;              // Also bounds the requested outputs.
  std::uint64_t max_elements = 64ULL << 20;  // Of all inputs of a request together.
  std::size_t max_parameters = 64;           // Of a request.
  std::size_t max_name_bytes = 1024;         // Names, ids and routing keys.
};

// Decodes the (decompressed) body of an infer request in place of what `request` held; after an
// error its content is unspecified. The value of the header Inference-Header-Content-Length alone
// decides how the body is read: absent = all JSON, 0 = raw, otherwise so many bytes of JSON and
// then binary tensors.
Result<void> decode_v2(
    std::string_view body,
    std::optional<std::string_view> inference_header_content_length,
    const DecodeOptions& options,
    PredictRequest& request
);

struct EncodedHeaders {
  // Content-Type is application/octet-stream and Inference-Header-Content-Length is json_bytes;
  // otherwise it is application/json without that header.
  bool is_binary = false;
  std::uint64_t json_bytes = 0;
};

// Appends the body of the answer. An output that JSON cannot carry (FP16, BF16, BYTES that is not
// UTF-8) and that is not asked for as binary is an invalid_argument that names it; `body` is then
// as it was. NaN and infinities become null.
Result<EncodedHeaders> encode_v2(const PredictResponse& response, std::string& body);

}  // namespace weir::protocol
