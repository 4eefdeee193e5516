#include "model/remote_codec.h"

#include <limits>
#include <utility>

#include "protocol/json_reader.h"
#include "protocol/predict.h"
#include "protocol/v2_binary.h"
#include "protocol/v2_data.h"
#include "protocol/v2_fields.h"

namespace weir::model {
namespace {

using protocol::JsonKind;
using protocol::JsonReader;
using protocol::Place;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

constexpr std::size_t max_depth = 100;
constexpr std::size_t max_name_bytes = 1024;
constexpr std::size_t max_tensors = 256;
constexpr std::size_t max_error_bytes = 500;

// Strings with escapes are decoded into it.
std::string& scratch() {
  constexpr std::size_t kept_bytes = 64 * 1024;
  thread_local std::string text;
  if (text.capacity() > kept_bytes) text = std::string();
  return text;
}

tl::unexpected<Error> unreadable(const JsonReader& reader) {
  return fail(Code::internal, "its answer is not readable JSON: {}", reader.problem());
}

Result<void> skip(JsonReader& reader) {
  if (!reader.skip_value()) return unreadable(reader);
  return {};
}

// Enters the object that the whole text is.
Result<void> begin_document(JsonReader& reader) {
  if (reader.kind() != JsonKind::object) {
    return fail(Code::internal, "its answer is not a JSON object");
  }
  reader.begin();
  return {};
}

Result<void> end_document(JsonReader& reader) {
  if (!reader.finish()) return unreadable(reader);
  return {};
}

// Takes a shape; -1 only where a signature is described.
Result<Shape> read_shape(JsonReader& reader, const Place& place, std::int64_t smallest) {
  TRY(protocol::want(reader, JsonKind::array, place, "shape"));
  Shape shape;
  reader.begin();
  while (reader.next_element()) {
    const std::int64_t size = TRY(protocol::read_integer(reader, place, "shape"));
    if (size < smallest || !shape.push_back(size)) {
      return fail(Code::internal, "{} has a shape that cannot be", to_string(place));
    }
  }
  if (reader.has_failed()) return unreadable(reader);
  return shape;
}

Result<DataType> read_datatype(JsonReader& reader, const Place& place) {
  TRY(protocol::want(reader, JsonKind::string, place, "datatype"));
  std::string_view name;
  if (!reader.string(name)) return unreadable(reader);
  const auto datatype = tensor::parse_datatype(name);
  if (!datatype) {
    return fail(
        Code::internal, "{}: datatype '{}' is unknown", to_string(place), name.substr(0, 64)
    );
  }
  return *datatype;
}

Result<std::vector<TensorSpec>> read_tensors(JsonReader& reader, std::string_view noun) {
  std::vector<TensorSpec> tensors;
  TRY(protocol::want(reader, JsonKind::array, {}, noun));
  reader.begin();
  while (reader.next_element()) {
    if (tensors.size() == max_tensors) {
      return fail(Code::internal, "it describes more than {} {}", max_tensors, noun);
    }
    const Place place{noun, {}, tensors.size()};
    TensorSpec& spec = tensors.emplace_back();
    TRY(protocol::want(reader, JsonKind::object, place, noun));
    reader.begin();
    bool has_datatype = false;
    std::string_view key;
    while (reader.next_member(key)) {
      if (key == "name") {
        TRY(protocol::read_text(reader, place, "name", max_name_bytes, spec.name));
      } else if (key == "shape") {
        spec.shape = TRY(read_shape(reader, place, -1));
      } else if (key == "datatype") {
        spec.datatype = TRY(read_datatype(reader, place));
        has_datatype = true;
      } else {
        TRY(skip(reader));
      }
    }
    if (reader.has_failed()) return unreadable(reader);
    if (spec.name.empty() || !has_datatype) {
      return fail(Code::internal, "{} has no name or no datatype", to_string(place));
    }
  }
  if (reader.has_failed()) return unreadable(reader);
  return tensors;
}

// One output of an answer, filled member by member in whatever order they come.
struct OutputFields {
  std::string name;
  std::optional<DataType> datatype;
  std::optional<Shape> shape;
  std::optional<std::uint64_t> binary_bytes;
  std::optional<JsonReader> data;  // Where it stands.
};

class AnswerDecoder {
 public:
  AnswerDecoder(
      std::string_view json,
      std::string_view binary,
      const Signature& signature,
      std::vector<Tensor>& outputs
  )
      : reader_(json, scratch(), max_depth),
        binary_(binary),
        signature_(signature),
        outputs_(outputs),
        is_filled_(signature.outputs.size()) {}

  Result<void> decode() {
    TRY(begin_document(reader_));
    std::string_view key;
    while (reader_.next_member(key)) {
      if (key == "outputs") {
        TRY(decode_outputs());
      } else {
        TRY(skip(reader_));
      }
    }
    TRY(end_document(reader_));
    for (std::size_t i = 0; i < is_filled_.size(); ++i) {
      if (is_filled_[i]) continue;
      return fail(Code::internal, "its answer has no output '{}'", signature_.outputs[i].name);
    }
    return {};
  }

 private:
  Result<void> decode_outputs() {
    TRY(protocol::want(reader_, JsonKind::array, {}, "outputs"));
    reader_.begin();
    while (reader_.next_element()) {
      TRY(protocol::want(reader_, JsonKind::object, {"output"}, "outputs"));
      OutputFields fields;
      TRY(read_fields(fields));
      TRY(fill(fields));
    }
    if (reader_.has_failed()) return unreadable(reader_);
    return {};
  }

  Result<void> read_fields(OutputFields& fields) {
    reader_.begin();
    std::string_view key;
    while (reader_.next_member(key)) {
      const Place place{"output", fields.name};
      if (key == "name") {
        TRY(protocol::read_text(reader_, place, "name", max_name_bytes, fields.name));
      } else if (key == "datatype") {
        fields.datatype = TRY(read_datatype(reader_, place));
      } else if (key == "shape") {
        fields.shape = TRY(read_shape(reader_, place, 0));
      } else if (key == "parameters") {
        TRY(read_parameters(fields, place));
      } else {
        if (key == "data") fields.data = reader_;
        TRY(skip(reader_));
      }
    }
    if (reader_.has_failed()) return unreadable(reader_);
    return {};
  }

  Result<void> read_parameters(OutputFields& fields, const Place& place) {
    if (protocol::take_null(reader_)) return {};
    TRY(protocol::want(reader_, JsonKind::object, place, "parameters"));
    reader_.begin();
    std::string_view key;
    while (reader_.next_member(key)) {
      if (key == "binary_data_size") {
        fields.binary_bytes = TRY(protocol::read_unsigned(reader_, place, key));
      } else {
        TRY(skip(reader_));
      }
    }
    if (reader_.has_failed()) return unreadable(reader_);
    return {};
  }

  Result<void> fill(OutputFields& fields) {
    std::string_view bytes;
    if (fields.binary_bytes) {
      if (*fields.binary_bytes > binary_.size()) {
        return fail(Code::internal, "its answer ends inside output '{}'", fields.name);
      }
      bytes = binary_.substr(0, *fields.binary_bytes);
      binary_.remove_prefix(bytes.size());
    }
    const auto index = signature_.output_index(fields.name);
    if (!index) return {};
    TRY(check(fields, signature_.outputs[*index]));
    protocol::InputTensor read;
    read.name = fields.name;
    std::swap(read.tensor, outputs_[*index]);
    if (fields.binary_bytes) {
      TRY(protocol::fill_from_binary(bytes, *fields.datatype, *fields.shape, read));
    } else {
      const auto count = static_cast<std::size_t>(*fields.shape->element_count());
      TRY(protocol::decode_data(*fields.data, *fields.datatype, *fields.shape, count, read));
    }
    std::swap(read.tensor, outputs_[*index]);
    is_filled_[*index] = true;
    return {};
  }

  // That it is whole, is what the metadata promised, and is no larger than its text can be: an
  // element is one character at least.
  static Result<void> check(const OutputFields& fields, const TensorSpec& spec) {
    if (!fields.datatype || !fields.shape || (!fields.data && !fields.binary_bytes)) {
      return fail(
          Code::internal, "output '{}' of its answer has no datatype, shape or data", spec.name
      );
    }
    if (*fields.datatype != spec.datatype || !spec.shape.accepts(*fields.shape)) {
      return fail(
          Code::internal,
          "output '{}' of its answer is {} {}; its metadata said {} {}",
          spec.name,
          to_string(*fields.datatype),
          to_string(*fields.shape),
          to_string(spec.datatype),
          to_string(spec.shape)
      );
    }
    const auto count = fields.shape->element_count();
    if (!count || (fields.data && static_cast<std::uint64_t>(*count) > fields.data->bytes_left())) {
      return fail(Code::internal, "output '{}' of its answer has too little data", spec.name);
    }
    return {};
  }

  JsonReader reader_;
  std::string_view binary_;  // What has not been used up.
  const Signature& signature_;
  std::vector<Tensor>& outputs_;
  std::vector<bool> is_filled_;
};

// The readers of requests are used for answers: a bad answer is not the fault of our client.
Error as_internal(const Error& error) {
  constexpr std::string_view input = "input '";
  constexpr std::string_view request = "the request";
  const std::string_view message = error.message;
  if (message.starts_with(input)) {
    return {
        Code::internal,
        fmt::format("its answer is not V2: output '{}", message.substr(input.size()))};
  }
  if (message.starts_with(request)) {
    return {Code::internal, fmt::format("its answer{}", message.substr(request.size()))};
  }
  return {Code::internal, error.message};
}

}  // namespace

Result<bool> decode_server_extensions(std::string_view body) {
  JsonReader reader(body, scratch(), max_depth);
  TRY(begin_document(reader));
  bool has_binary = false;
  std::string_view key;
  while (reader.next_member(key)) {
    if (key != "extensions" || reader.kind() != JsonKind::array) {
      TRY(skip(reader));
      continue;
    }
    reader.begin();
    while (reader.next_element()) {
      std::string_view name;
      if (reader.kind() != JsonKind::string) {
        TRY(skip(reader));
      } else if (reader.string(name) && name == "binary_tensor_data") {
        has_binary = true;
      }
    }
  }
  TRY(end_document(reader));
  return has_binary;
}

Result<Signature> decode_remote_metadata(std::string_view body) {
  const auto decode = [&]() -> Result<Signature> {
    JsonReader reader(body, scratch(), max_depth);
    Signature signature;
    TRY(begin_document(reader));
    std::string_view key;
    while (reader.next_member(key)) {
      if (key == "inputs") {
        signature.inputs = TRY(read_tensors(reader, "inputs"));
      } else if (key == "outputs") {
        signature.outputs = TRY(read_tensors(reader, "outputs"));
      } else {
        TRY(skip(reader));
      }
    }
    TRY(end_document(reader));
    return signature;
  };
  auto signature = decode();
  if (!signature) return tl::unexpected(as_internal(signature.error()));
  return signature;
}

std::string decode_remote_error(std::string_view body) {
  JsonReader reader(body, scratch(), max_depth);
  std::string_view key;
  if (reader.kind() == JsonKind::object) {
    reader.begin();
    while (reader.next_member(key)) {
      if (key != "error" || reader.kind() != JsonKind::string) {
        if (!reader.skip_value()) break;
        continue;
      }
      std::string_view message;
      if (!reader.string(message)) break;
      return std::string(message.substr(0, max_error_bytes));
    }
  }
  return std::string(body.substr(0, max_error_bytes));
}

Result<void> decode_remote_answer(
    std::string_view body,
    std::optional<std::size_t> json_bytes,
    const Signature& signature,
    std::vector<Tensor>& outputs
) {
  const std::size_t json = json_bytes.value_or(body.size());
  if (json > body.size()) {
    return fail(Code::internal, "its answer is shorter than its Inference-Header-Content-Length");
  }
  outputs.resize(signature.outputs.size());
  const std::string_view text = body.substr(0, json);
  const auto decoded = AnswerDecoder(text, body.substr(json), signature, outputs).decode();
  if (!decoded) return tl::unexpected(as_internal(decoded.error()));
  return {};
}

}  // namespace weir::model
