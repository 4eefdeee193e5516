#include "protocol/v2_protobuf.h"

#include <string>
#include <variant>
#include <vector>

#include "base/utf8.h"
#include "protocol/request_checks.h"
#include "protocol/request_parameters.h"
#include "protocol/v2_binary.h"
#include "protocol/v2_contents.h"
#include "protocol/wire.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;

constexpr std::uint32_t text_field(std::uint32_t field) {
  return wire_tag(field, WireForm::bytes);
}

// The parts of a message that are needed until it has been read to its end. Reused.
struct Parts {
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> raw;
  std::vector<std::string_view> contents;  // Of one input.
};

tl::unexpected<Error> unreadable(std::string_view what) {
  return fail(Code::invalid_argument, "{} is not a readable ModelInferRequest message", what);
}

Result<std::string_view> checked(std::string_view value, const Place& place, std::string_view key) {
  if (is_valid_utf8(value)) return value;
  return fail(Code::invalid_argument, "{}: '{}' is not UTF-8", to_string(place), key);
}

// A text field: UTF-8, and no longer than names may be.
Result<std::string_view> read_text(
    WireReader& reader, const Place& place, std::string_view key, const DecodeOptions& options
) {
  const std::string_view value = reader.bytes();
  if (value.size() > options.max_name_bytes) {
    return fail(
        Code::invalid_argument,
        "{}: '{}' has {} bytes; at most {} are allowed",
        to_string(place),
        key,
        value.size(),
        options.max_name_bytes
    );
  }
  return checked(value, place, key);
}

class RequestDecoder {
 public:
  RequestDecoder(const DecodeOptions& options, PredictRequest& request, Parts& parts)
      : options_(options),
        request_(request),
        parts_(parts),
        parameters_(options, request),
        elements_left_(options.max_elements) {}

  Result<void> decode(std::string_view message) {
    WireReader reader(message);
    while (reader.next()) TRY(decode_field(reader));
    if (reader.has_failed()) return unreadable("the request");
    if (parts_.inputs.empty()) return fail(Code::invalid_argument, "the request has no 'inputs'");
    for (const std::string_view input : parts_.inputs) TRY(decode_input(input));
    if (parts_.raw.size() > parts_.inputs.size()) return wrong_number_of_contents();
    return {};
  }

 private:
  tl::unexpected<Error> wrong_number_of_contents() const {
    return fail(
        Code::invalid_argument,
        "the request has {} inputs, but {} entries in raw_input_contents; there must be one for "
        "each input, or none at all",
        parts_.inputs.size(),
        parts_.raw.size()
    );
  }

  Result<void> decode_field(WireReader& reader) {
    switch (reader.tag()) {
      case text_field(3):
        request_.id = TRY(read_text(reader, {}, "id", options_));
        return {};
      case text_field(4):
        return decode_parameter(reader.bytes());
      case text_field(5):
        if (parts_.inputs.size() == options_.max_inputs) {
          return fail(
              Code::invalid_argument, "the request has more than {} inputs", options_.max_inputs
          );
        }
        parts_.inputs.push_back(reader.bytes());
        return {};
      case text_field(6):
        return decode_output(reader.bytes());
      case text_field(7):
        // One entry too many is enough to be refused in the end.
        if (parts_.raw.size() > options_.max_inputs) {
          reader.skip();
        } else {
          parts_.raw.push_back(reader.bytes());
        }
        return {};
      default:
        reader.skip();
        return {};
    }
  }

  struct Entry {
    std::string_view name;
    GivenValue value;
  };

  // An entry of a map from names to InferParameter.
  static Result<Entry> decode_entry(std::string_view message, const Place& place) {
    Entry entry;
    WireReader reader(message);
    while (reader.next()) {
      if (reader.tag() == text_field(1)) {
        entry.name = TRY(checked(reader.bytes(), place, "the name of a parameter"));
      } else if (reader.tag() == text_field(2)) {
        TRY(decode_value(reader.bytes(), place, entry.value));
      } else {
        reader.skip();
      }
    }
    if (reader.has_failed()) return unreadable(to_string(place));
    return entry;
  }

  static Result<void> decode_value(
      std::string_view message, const Place& place, GivenValue& value
  ) {
    WireReader reader(message);
    while (reader.next()) {
      switch (reader.tag()) {
        case wire_tag(1, WireForm::varint):
          value = reader.varint() != 0;
          break;
        case wire_tag(2, WireForm::varint):
          value = static_cast<std::int64_t>(reader.varint());
          break;
        case text_field(3):
          value = TRY(checked(reader.bytes(), place, "the value of a parameter"));
          break;
        case wire_tag(4, WireForm::fixed64):
          value = reader.fixed<double>();
          break;
        case wire_tag(5, WireForm::varint):
          value = reader.varint();
          break;
        default:
          reader.skip();
      }
    }
    if (reader.has_failed()) return unreadable(to_string(place));
    return {};
  }

  Result<void> decode_parameter(std::string_view message) {
    const Entry entry = TRY(decode_entry(message, {}));
    TRY(parameters_.check_name(entry.name));
    return parameters_.take(entry.name, entry.value);
  }

  Result<void> decode_output(std::string_view message) {
    Place place{"output", {}, request_.outputs.size()};
    TRY(check_output_count(request_, options_));
    RequestedOutput& output = request_.outputs.emplace_back();
    WireReader reader(message);
    while (reader.next()) {
      if (reader.tag() == text_field(1)) {
        output.name = TRY(read_text(reader, place, "name", options_));
        place.name = output.name;
      } else if (reader.tag() == text_field(2)) {
        const Entry entry = TRY(decode_entry(reader.bytes(), place));
        TRY(refuse_unsupported(entry.name, place));
        if (entry.name != "binary_data") continue;
        const bool* const flag = std::get_if<bool>(&entry.value);
        if (flag == nullptr) {
          return fail(
              Code::invalid_argument, "{}: 'binary_data' must be a boolean", to_string(place)
          );
        }
        output.binary = *flag;
      } else {
        reader.skip();
      }
    }
    if (reader.has_failed()) return unreadable(to_string(place));
    if (output.name.empty()) {
      return fail(Code::invalid_argument, "{} has no 'name'", to_string(place));
    }
    return check_output_is_new(request_);
  }

  // What has been read of one input.
  struct InputFields {
    Place place;
    std::string_view datatype;
    Shape shape;
  };

  Result<void> decode_input(std::string_view message) {
    const std::size_t index = request_.input_count;
    InputTensor& input = request_.add_input();
    InputFields fields{{"input", {}, index}, {}, {}};
    parts_.contents.clear();
    WireReader reader(message);
    while (reader.next()) TRY(decode_input_field(reader, input, fields));
    if (reader.has_failed()) return unreadable(to_string(fields.place));
    if (input.name.empty()) {
      return fail(Code::invalid_argument, "{} has no 'name'", to_string(fields.place));
    }
    TRY(check_input_is_new(request_));
    const DataType datatype = TRY(read_datatype(fields.datatype, fields.place));
    TRY(take_elements(fields.shape, fields.place, options_, elements_left_));
    if (parts_.raw.empty()) {
      return fill_from_contents(parts_.contents, datatype, fields.shape, input);
    }
    if (!parts_.contents.empty()) {
      return fail(
          Code::invalid_argument,
          "contents field must not be specified when using raw_input_contents for input '{}'",
          input.name
      );
    }
    // Only now: an input without contents may have said that they lie in shared memory.
    if (index >= parts_.raw.size()) return wrong_number_of_contents();
    return fill_from_binary(parts_.raw[index], datatype, fields.shape, input);
  }

  Result<void> decode_input_field(WireReader& reader, InputTensor& input, InputFields& fields) {
    switch (reader.tag()) {
      case text_field(1):
        input.name = TRY(read_text(reader, fields.place, "name", options_));
        fields.place.name = input.name;
        return {};
      case text_field(2):
        fields.datatype = TRY(read_text(reader, fields.place, "datatype", options_));
        return {};
      case text_field(3):
        return decode_shape(reader.bytes(), fields);
      case wire_tag(3, WireForm::varint):
        return add_dimension(
            static_cast<std::int64_t>(reader.varint()), fields.place, fields.shape
        );
      case text_field(4): {
        const Entry entry = TRY(decode_entry(reader.bytes(), fields.place));
        return refuse_unsupported(entry.name, fields.place);
      }
      case text_field(5):
        parts_.contents.push_back(reader.bytes());
        return {};
      default:
        reader.skip();
        return {};
    }
  }

  static Result<void> decode_shape(std::string_view packed, InputFields& fields) {
    WireReader run(packed);
    while (run.has_more()) {
      const auto size = static_cast<std::int64_t>(run.varint());
      if (run.has_failed()) return unreadable(to_string(fields.place));
      TRY(add_dimension(size, fields.place, fields.shape));
    }
    return {};
  }

  const DecodeOptions& options_;
  PredictRequest& request_;
  Parts& parts_;
  RequestParameters parameters_;
  std::uint64_t elements_left_;
};

// --- the answer -----------------------------------------------------------------------------

Result<bool> is_raw(const PredictResponse& response) {
  const bool raw = response.outputs.empty() || response.outputs.front().binary;
  for (const OutputTensor& output : response.outputs) {
    if (output.binary != raw) {
      return fail(
          Code::invalid_argument,
          "output '{}' is asked for as {} and output '{}' as {}; a gRPC answer is all raw or all "
          "typed (parameter binary_data_output of the request)",
          response.outputs.front().name,
          raw ? "raw" : "typed",
          output.name,
          raw ? "typed" : "raw"
      );
    }
    const DataType datatype = output.tensor->datatype();
    if (!raw && (datatype == DataType::fp16 || datatype == DataType::bf16)) {
      return fail(
          Code::invalid_argument,
          "output '{}' is {}, which has no typed contents: leave out binary_data_output",
          output.name,
          to_string(datatype)
      );
    }
  }
  return raw;
}

void write_parameter(std::string_view name, std::string_view value, WireWriter& writer) {
  if (value.empty()) return;
  const auto field_size = [](std::size_t size) { return 1 + varint_size(size) + size; };
  const std::size_t value_size = field_size(value.size());
  writer.begin_bytes(4, field_size(name.size()) + field_size(value_size));
  writer.bytes(1, name);
  writer.begin_bytes(2, value_size);
  writer.bytes(3, value);
}

void write_output(const OutputTensor& output, bool raw, WireWriter& writer, std::string& part) {
  part.clear();
  WireWriter fields(part);
  fields.bytes(1, output.name);
  fields.bytes(2, to_string(output.tensor->datatype()));
  const auto dimensions = output.tensor->shape().dimensions();
  if (!dimensions.empty()) {
    std::size_t size = 0;
    for (const std::int64_t dimension : dimensions) {
      size += varint_size(static_cast<std::uint64_t>(dimension));
    }
    fields.begin_bytes(3, size);
    for (const std::int64_t dimension : dimensions) {
      fields.varint(static_cast<std::uint64_t>(dimension));
    }
  }
  if (!raw) {
    std::string contents;
    append_contents(*output.tensor, contents);
    fields.bytes(5, contents);
  }
  writer.bytes(5, part);
}

}  // namespace

Result<ModelName> read_model_name(std::string_view message, const DecodeOptions& options) {
  ModelName model;
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == text_field(1)) {
      model.name = TRY(read_text(reader, {}, "model_name", options));
    } else if (reader.tag() == text_field(2)) {
      model.version = TRY(read_text(reader, {}, "model_version", options));
    } else {
      reader.skip();
    }
  }
  if (reader.has_failed()) return unreadable("the request");
  return model;
}

Result<void> decode_infer_request(
    std::string_view message, const DecodeOptions& options, PredictRequest& request
) {
  thread_local Parts parts;
  parts.inputs.clear();
  parts.raw.clear();
  request.clear();
  request.binary_output = true;
  return RequestDecoder(options, request, parts).decode(message);
}

Result<void> encode_infer_response(const PredictResponse& response, std::string& message) {
  const bool raw = TRY(is_raw(response));
  WireWriter writer(message);
  writer.bytes(1, response.model_name);
  if (!response.model_version.empty()) writer.bytes(2, response.model_version);
  if (!response.id.empty()) writer.bytes(3, response.id);
  write_parameter("weir_version", response.model_version, writer);
  write_parameter("weir_arm", response.arm, writer);
  write_parameter("weir_decision", response.decision, writer);
  std::string part;
  for (const OutputTensor& output : response.outputs) write_output(output, raw, writer, part);
  if (!raw) return {};
  for (const OutputTensor& output : response.outputs) {
    const std::uint64_t size = binary_size(*output.tensor);
    message.reserve(message.size() + size + 16);
    writer.begin_bytes(6, size);
    append_binary(*output.tensor, message);
  }
  return {};
}

}  // namespace weir::protocol
