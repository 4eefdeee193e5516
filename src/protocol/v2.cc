#include "protocol/v2.h"

#include <charconv>
#include <system_error>

#include "protocol/json_writer.h"
#include "base/utf8.h"
#include "protocol/v2_binary.h"
#include "protocol/v2_json.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Tensor;

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

// Digits only, at most as many bytes as there are.
Result<std::size_t> read_header_length(std::string_view header, std::size_t body_bytes) {
  const std::string_view text = trim(header);
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > body_bytes) {
    return fail(
        Code::invalid_argument,
        "the header Inference-Header-Content-Length is '{}'; it must be the number of bytes of "
        "JSON at the beginning of the body, from 0 to {}",
        text.substr(0, 64),
        body_bytes
    );
  }
  return static_cast<std::size_t>(length);
}

Result<void> check_json_form(const OutputTensor& output) {
  const DataType datatype = output.tensor->datatype();
  if (datatype == DataType::fp16 || datatype == DataType::bf16) {
    return fail(
        Code::invalid_argument,
        "output '{}' is {}, which is binary only: ask for it with parameters.binary_data: true",
        output.name,
        to_string(datatype)
    );
  }
  if (datatype != DataType::bytes) return {};
  for (std::size_t index = 0; index < output.tensor->strings_added(); ++index) {
    if (!is_valid_utf8(output.tensor->string(index))) {
      return fail(
          Code::invalid_argument,
          "element {} of output '{}' is not UTF-8 and has no JSON form: ask for the output with "
          "parameters.binary_data: true",
          index,
          output.name
      );
    }
  }
  return {};
}

void write_data(const Tensor& tensor, JsonWriter& writer) {
  if (tensor.datatype() == DataType::bytes) {
    writer.begin_array();
    for (std::size_t index = 0; index < tensor.strings_added(); ++index) {
      writer.value(tensor.string(index));
    }
    writer.end_array();
    return;
  }
  tensor::visit(tensor.datatype(), [&](auto element) {
    using Element = decltype(element);
    if constexpr (std::is_same_v<Element, bool>) {
      writer.begin_array();
      for (const bool value : tensor.values<bool>()) writer.value(value);
      writer.end_array();
    } else {
      writer.values(tensor.values<Element>());
    }
  });
}

// An output has `parameters` only when it is binary: clients take their presence as a sign of it.
void write_output(const OutputTensor& output, JsonWriter& writer) {
  writer.begin_object();
  writer.member("name", output.name);
  writer.member("datatype", to_string(output.tensor->datatype()));
  writer.key("shape");
  writer.values(output.tensor->shape().dimensions());
  if (output.binary) {
    writer.key("parameters");
    writer.begin_object();
    writer.member("binary_data_size", binary_size(*output.tensor));
    writer.end_object();
  } else {
    writer.key("data");
    write_data(*output.tensor, writer);
  }
  writer.end_object();
}

void write_response_parameters(const PredictResponse& response, JsonWriter& writer) {
  const auto write = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) writer.member(name, value);
  };
  writer.key("parameters");
  writer.begin_object();
  write("weir_version", response.model_version);
  write("weir_arm", response.arm);
  write("weir_decision", response.decision);
  writer.end_object();
}

}  // namespace

Result<void> decode_v2(
    std::string_view body,
    std::optional<std::string_view> inference_header_content_length,
    const DecodeOptions& options,
    PredictRequest& request
) {
  request.clear();
  if (!inference_header_content_length) {
    return decode_v2_json(body, std::nullopt, options, request);
  }
  const std::size_t length = TRY(read_header_length(*inference_header_content_length, body.size()));
  if (length == 0) {
    request.raw = true;
    request.binary_output = true;
    request.raw_body = body;
    return {};
  }
  return decode_v2_json(body.substr(0, length), body.substr(length), options, request);
}

Result<EncodedHeaders> encode_v2(const PredictResponse& response, std::string& body) {
  const std::size_t begin = body.size();
  for (const OutputTensor& output : response.outputs) {
    if (!output.binary) TRY(check_json_form(output));
  }
  JsonWriter writer(body);
  writer.begin_object();
  writer.member("model_name", response.model_name);
  if (!response.model_version.empty()) writer.member("model_version", response.model_version);
  if (!response.id.empty()) writer.member("id", response.id);
  write_response_parameters(response, writer);
  writer.key("outputs");
  writer.begin_array();
  for (const OutputTensor& output : response.outputs) write_output(output, writer);
  writer.end_array();
  writer.end_object();

  EncodedHeaders headers;
  headers.json_bytes = body.size() - begin;
  for (const OutputTensor& output : response.outputs) {
    if (output.binary) append_binary(*output.tensor, body);
  }
  headers.is_binary = body.size() - begin > headers.json_bytes;
  return headers;
}

}  // namespace weir::protocol
