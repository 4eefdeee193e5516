#include "protocol/v2_json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/json_reader.h"
#include "protocol/request_checks.h"
#include "protocol/v2_binary.h"
#include "protocol/v2_data.h"
#include "protocol/v2_fields.h"
#include "protocol/v2_parameters.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;

// What has been read of one input; its data is decoded at the end when it came before the rest.
struct InputFields {
  bool has_name = false;
  std::optional<DataType> datatype;
  std::optional<Shape> shape;
  std::size_t count = 0;  // Elements of the shape.
  std::optional<std::uint64_t> binary_bytes;
  bool has_parameters = false;
  bool has_data = false;
  std::optional<JsonReader> early_data;

  bool can_take_data() const { return has_name && datatype && shape; }
};

class RequestDecoder {
 public:
  RequestDecoder(
      std::string_view json,
      std::optional<std::string_view> binary,
      std::string& scratch,
      const DecodeOptions& options,
      PredictRequest& request
  )
      : reader_(json, scratch, options.max_json_depth),
        binary_(binary),
        options_(options),
        request_(request),
        elements_left_(options.max_elements) {}

  Result<void> decode() {
    if (reader_.kind() != JsonKind::object) {
      return fail(
          Code::invalid_argument,
          "the request must be a JSON object with 'inputs', but it {}",
          reader_.bytes_left() == 0 ? "is empty" : "does not begin with '{'"
      );
    }
    reader_.begin();
    std::string_view name;
    while (reader_.next_member(name)) TRY(decode_member(name));
    if (!reader_.finish()) return malformed(reader_);
    if (request_.input_count == 0) {
      return fail(Code::invalid_argument, "the request has no 'inputs'");
    }
    if (binary_ && !binary_->empty()) {
      return fail(
          Code::invalid_argument,
          "{} bytes are left over after the last binary input",
          binary_->size()
      );
    }
    return {};
  }

 private:
  Result<void> decode_member(std::string_view name) {
    if (name == "inputs") {
      TRY(note_once(has_inputs_, name));
      return decode_inputs();
    }
    if (name == "outputs") {
      TRY(note_once(has_outputs_, name));
      return decode_outputs();
    }
    if (name == "parameters") {
      TRY(note_once(has_parameters_, name));
      return decode_request_parameters(reader_, options_, request_);
    }
    if (name == "id") {
      TRY(note_once(has_id_, name));
      if (take_null(reader_)) return {};
      return read_text(reader_, {}, "id", options_.max_name_bytes, request_.id);
    }
    return skip();
  }

  Result<void> skip() {
    if (!reader_.skip_value()) return malformed(reader_);
    return {};
  }

  static Result<void> note_once(bool& seen, std::string_view name, const Place& place = {}) {
    if (seen) {
      return fail(Code::invalid_argument, "{}: '{}' is given twice", to_string(place), name);
    }
    seen = true;
    return {};
  }

  Result<void> decode_inputs() {
    TRY(want(reader_, JsonKind::array, {}, "inputs"));
    reader_.begin();
    while (reader_.next_element()) {
      TRY(check_input_count(request_, options_));
      const Place place{"input", {}, request_.input_count};
      TRY(want(reader_, JsonKind::object, place, "inputs"));
      TRY(decode_input(request_.add_input(), place));
    }
    if (reader_.has_failed()) return malformed(reader_);
    return {};
  }

  Result<void> decode_input(InputTensor& input, Place place) {
    InputFields fields;
    reader_.begin();
    std::string_view name;
    while (reader_.next_member(name)) {
      TRY(decode_input_member(name, input, fields, place));
      place.name = input.name;
    }
    if (reader_.has_failed()) return malformed(reader_);
    TRY(check_complete(fields, place));
    TRY(check_input_is_new(request_));
    if (fields.early_data) {
      return decode_data(*fields.early_data, *fields.datatype, *fields.shape, fields.count, input);
    }
    if (fields.binary_bytes) return take_binary(input, fields);
    return {};
  }

  Result<void> decode_input_member(
      std::string_view name, InputTensor& input, InputFields& fields, const Place& place
  ) {
    if (name == "name") {
      TRY(note_once(fields.has_name, name, place));
      return read_text(reader_, place, "name", options_.max_name_bytes, input.name);
    }
    if (name == "shape") return decode_shape(fields, place);
    if (name == "datatype") return decode_datatype(fields, place);
    if (name == "parameters") {
      TRY(note_once(fields.has_parameters, name, place));
      return decode_input_parameters(fields, place);
    }
    if (name != "data") return skip();
    TRY(note_once(fields.has_data, name, place));
    if (fields.can_take_data()) {
      return decode_data(reader_, *fields.datatype, *fields.shape, fields.count, input);
    }
    fields.early_data = reader_;
    return skip();
  }

  Result<void> decode_shape(InputFields& fields, const Place& place) {
    bool has_shape = fields.shape.has_value();
    TRY(note_once(has_shape, "shape", place));
    TRY(want(reader_, JsonKind::array, place, "shape"));
    Shape shape;
    reader_.begin();
    while (reader_.next_element()) {
      const std::int64_t size = TRY(read_integer(reader_, place, "shape"));
      TRY(add_dimension(size, place, shape));
    }
    if (reader_.has_failed()) return malformed(reader_);
    fields.count = TRY(take_elements(shape, place, options_, elements_left_));
    fields.shape = shape;
    return {};
  }

  Result<void> decode_datatype(InputFields& fields, const Place& place) {
    bool has_datatype = fields.datatype.has_value();
    TRY(note_once(has_datatype, "datatype", place));
    TRY(want(reader_, JsonKind::string, place, "datatype"));
    std::string_view name;
    if (!reader_.string(name)) return malformed(reader_);
    fields.datatype = TRY(read_datatype(name, place));
    return {};
  }

  Result<void> decode_input_parameters(InputFields& fields, const Place& place) {
    if (take_null(reader_)) return {};
    TRY(want(reader_, JsonKind::object, place, "parameters"));
    reader_.begin();
    std::string_view name;
    while (reader_.next_member(name)) {
      if (name == "binary_data_size") {
        bool is_known = fields.binary_bytes.has_value();
        TRY(note_once(is_known, "binary_data_size", place));
        fields.binary_bytes = TRY(read_unsigned(reader_, place, "binary_data_size"));
      } else {
        TRY(refuse_unsupported(name, place));
        TRY(skip());
      }
    }
    if (reader_.has_failed()) return malformed(reader_);
    return {};
  }

  Result<void> check_complete(const InputFields& fields, const Place& place) const {
    const auto missing = [&](std::string_view what) {
      return fail(Code::invalid_argument, "{} has no {}", to_string(place), what);
    };
    if (place.name.empty()) return missing("'name'");
    if (!fields.datatype) return missing("'datatype'");
    if (!fields.shape) return missing("'shape'");
    if (fields.has_data && fields.binary_bytes) {
      return fail(
          Code::invalid_argument,
          "{} has both 'data' and 'binary_data_size'; one of them has to go",
          to_string(place)
      );
    }
    if (!fields.has_data && !fields.binary_bytes) {
      return missing("'data' and no parameter 'binary_data_size'");
    }
    if (fields.binary_bytes && !binary_) {
      return fail(
          Code::invalid_argument,
          "{} is binary, but the request has no header Inference-Header-Content-Length that says "
          "where the JSON ends",
          to_string(place)
      );
    }
    return {};
  }

  Result<void> take_binary(InputTensor& input, const InputFields& fields) {
    const std::uint64_t size = *fields.binary_bytes;
    if (size > binary_->size()) {
      return fail(
          Code::invalid_argument,
          "input '{}': binary_data_size is {}, but {} bytes are left in the body",
          input.name,
          size,
          binary_->size()
      );
    }
    const auto bytes = binary_->substr(0, static_cast<std::size_t>(size));
    binary_->remove_prefix(bytes.size());
    return fill_from_binary(bytes, *fields.datatype, *fields.shape, input);
  }

  Result<void> decode_outputs() {
    if (take_null(reader_)) return {};
    TRY(want(reader_, JsonKind::array, {}, "outputs"));
    reader_.begin();
    while (reader_.next_element()) {
      const Place place{"output", {}, request_.outputs.size()};
      TRY(check_output_count(request_, options_));
      TRY(want(reader_, JsonKind::object, place, "outputs"));
      TRY(decode_output(request_.outputs.emplace_back(), place));
    }
    if (reader_.has_failed()) return malformed(reader_);
    return {};
  }

  Result<void> decode_output(RequestedOutput& output, Place place) {
    bool has_name = false;
    bool has_parameters = false;
    reader_.begin();
    std::string_view name;
    while (reader_.next_member(name)) {
      if (name == "name") {
        TRY(note_once(has_name, name, place));
        TRY(read_text(reader_, place, "name", options_.max_name_bytes, output.name));
        place.name = output.name;
      } else if (name == "parameters") {
        TRY(note_once(has_parameters, name, place));
        TRY(decode_output_parameters(output, place));
      } else {
        TRY(skip());
      }
    }
    if (reader_.has_failed()) return malformed(reader_);
    if (output.name.empty()) {
      return fail(Code::invalid_argument, "{} has no 'name'", to_string(place));
    }
    return check_output_is_new(request_);
  }

  Result<void> decode_output_parameters(RequestedOutput& output, const Place& place) {
    if (take_null(reader_)) return {};
    TRY(want(reader_, JsonKind::object, place, "parameters"));
    reader_.begin();
    std::string_view name;
    while (reader_.next_member(name)) {
      if (name == "binary_data") {
        output.binary = TRY(read_flag(reader_, place, "binary_data"));
      } else {
        TRY(refuse_unsupported(name, place));
        TRY(skip());
      }
    }
    if (reader_.has_failed()) return malformed(reader_);
    return {};
  }

  JsonReader reader_;
  std::optional<std::string_view> binary_;  // What has not been used up.
  const DecodeOptions& options_;
  PredictRequest& request_;
  std::uint64_t elements_left_;
  bool has_id_ = false;
  bool has_inputs_ = false;
  bool has_outputs_ = false;
  bool has_parameters_ = false;
};

}  // namespace

Result<void> decode_v2_json(
    std::string_view json,
    std::optional<std::string_view> binary,
    const DecodeOptions& options,
    PredictRequest& request
) {
  constexpr std::size_t kept_scratch_bytes = 64 * 1024;
  thread_local std::string scratch;
  auto result = RequestDecoder(json, binary, scratch, options, request).decode();
  if (scratch.capacity() > kept_scratch_bytes) scratch = std::string();
  return result;
}

}  // namespace weir::protocol
