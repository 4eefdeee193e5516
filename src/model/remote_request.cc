#include <type_traits>

#include "model/remote_codec.h"
#include "protocol/json_writer.h"
#include "base/utf8.h"
#include "protocol/v2_binary.h"

// The sending half of remote_codec.h.

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Tensor;

void write_data(const Tensor& tensor, protocol::JsonWriter& writer) {
  if (tensor.datatype() == DataType::bytes) {
    writer.begin_array();
    for (std::size_t i = 0; i < tensor.strings_added(); ++i) writer.value(tensor.string(i));
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

Result<void> check_utf8(const TensorSpec& spec, const Tensor& tensor) {
  if (tensor.datatype() != DataType::bytes) return {};
  for (std::size_t i = 0; i < tensor.strings_added(); ++i) {
    if (is_valid_utf8(tensor.string(i))) continue;
    return fail(
        Code::invalid_argument,
        "element {} of input '{}' is not UTF-8, and the server behind this endpoint takes JSON "
        "only",
        i,
        spec.name
    );
  }
  return {};
}

}  // namespace

Result<void> check_remote_form(const Signature& signature, const RemoteForm& form) {
  if (form.binary) return {};
  for (const auto* tensors : {&signature.inputs, &signature.outputs}) {
    for (const TensorSpec& spec : *tensors) {
      if (spec.datatype != DataType::fp16 && spec.datatype != DataType::bf16) continue;
      return fail(
          Code::invalid_argument,
          "'{}' is {}, which needs binary tensors, and the server does not list the extension "
          "binary_tensor_data",
          spec.name,
          to_string(spec.datatype)
      );
    }
  }
  return {};
}

Result<std::size_t> encode_remote_request(
    const Signature& signature,
    const std::vector<Tensor>& inputs,
    const RemoteForm& form,
    std::string& body
) {
  body.clear();
  protocol::JsonWriter writer(body);
  writer.begin_object();
  writer.key("inputs");
  writer.begin_array();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = inputs[i];
    if (!form.binary) TRY(check_utf8(signature.inputs[i], tensor));
    writer.begin_object();
    writer.member("name", signature.inputs[i].name);
    writer.member("datatype", to_string(tensor.datatype()));
    writer.key("shape");
    writer.values(tensor.shape().dimensions());
    if (form.binary) {
      writer.key("parameters");
      writer.begin_object();
      writer.member("binary_data_size", protocol::binary_size(tensor));
      writer.end_object();
    } else {
      writer.key("data");
      write_data(tensor, writer);
    }
    writer.end_object();
  }
  writer.end_array();
  if (form.binary) {
    writer.key("parameters");
    writer.begin_object();
    writer.member("binary_data_output", true);
    writer.end_object();
  }
  writer.end_object();
  const std::size_t json_bytes = body.size();
  if (form.binary) {
    for (const Tensor& tensor : inputs) protocol::append_binary(tensor, body);
  }
  return json_bytes;
}

}  // namespace weir::model
