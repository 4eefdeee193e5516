#include "protocol/v2_parameters.h"

#include <string>
#include <string_view>

#include "protocol/request_parameters.h"
#include "protocol/v2_fields.h"

namespace weir::protocol {
namespace {

// A text stays valid until the reader goes on.
Result<GivenValue> read_value(JsonReader& reader, std::string_view name) {
  switch (reader.kind()) {
    case JsonKind::null:
      if (!reader.null()) return malformed(reader);
      return GivenValue();
    case JsonKind::boolean:
      return GivenValue(TRY(read_flag(reader, {}, name)));
    case JsonKind::number: {
      JsonNumber number;
      if (!reader.number(number)) return malformed(reader);
      std::int64_t integer = 0;
      std::uint64_t magnitude = 0;
      if (number.is_integer && to_integer(number, integer)) return GivenValue(integer);
      if (number.is_integer && to_integer(number, magnitude)) return GivenValue(magnitude);
      double floating = 0;
      if (to_double(number, floating)) return GivenValue(floating);
      return fail(Code::invalid_argument, "parameter '{}' is beyond the range of FP64", name);
    }
    case JsonKind::string: {
      std::string_view text;
      if (!reader.string(text)) return malformed(reader);
      return GivenValue(text);
    }
    case JsonKind::nothing:
      reader.fail("a value is missing");
      return malformed(reader);
    default:
      return fail(
          Code::invalid_argument,
          "parameter '{}' is {}; parameters are strings, numbers or booleans",
          name,
          to_string(reader.kind())
      );
  }
}

}  // namespace

Result<void> decode_request_parameters(
    JsonReader& reader, const DecodeOptions& options, PredictRequest& request
) {
  if (take_null(reader)) return {};
  TRY(want(reader, JsonKind::object, {}, "parameters"));
  RequestParameters parameters(options, request);
  reader.begin();
  std::string_view borrowed;
  std::string own;
  while (reader.next_member(borrowed)) {
    std::string_view name = TRY(parameters.check_name(borrowed));
    if (name.data() == borrowed.data()) {
      own = borrowed;  // Reading the value may overwrite it.
      name = own;
    }
    const GivenValue value = TRY(read_value(reader, name));
    TRY(parameters.take(name, value));
  }
  if (reader.has_failed()) return malformed(reader);
  return {};
}

}  // namespace weir::protocol
