#include "protocol/v2_parameters.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/clock.h"
#include "protocol/v2_fields.h"

namespace weir::protocol {
namespace {

enum class Reserved : std::uint8_t {
  binary_data_output,
  headers,
  priority,
  routing_key,
  sequence_start,
  sequence_end,
  sequence_id,
  timeout,
  time,
  empty_final_response,
};

// In the order of the enum.
constexpr std::array<std::string_view, 10> reserved_names = {
    "binary_data_output",
    "headers",
    "priority",
    "weir-routing-key",
    "sequence_start",
    "sequence_end",
    "sequence_id",
    "timeout",
    "weir_time",
    "triton_enable_empty_final_response",
};

tl::unexpected<Error> given_twice(std::string_view name) {
  return fail(Code::invalid_argument, "parameter '{}' is given twice", name);
}

// One parameter at a time. The names that it works with are never the reader's own, because
// reading a value may overwrite that one.
class ParameterDecoder {
 public:
  ParameterDecoder(JsonReader& reader, const DecodeOptions& options, PredictRequest& request)
      : reader_(reader), options_(options), request_(request) {}

  Result<void> decode(std::string_view name) {
    const auto* const known = std::ranges::find(reserved_names, name);
    if (known == reserved_names.end()) return decode_own(std::string(name));
    const auto index = static_cast<std::size_t>(known - reserved_names.begin());
    if (seen_.test(index)) return given_twice(*known);
    seen_.set(index);
    return decode_reserved(static_cast<Reserved>(index), *known);
  }

 private:
  Result<void> decode_own(const std::string& name) {
    if (name.starts_with("triton_")) return refuse_name(name, "names with 'triton_' are reserved");
    const auto same = [&](const Parameter& other) { return other.name == name; };
    if (std::ranges::any_of(request_.parameters, same)) return given_twice(name);
    return keep(name);
  }

  Result<void> decode_reserved(Reserved reserved, std::string_view name) {
    if (reserved == Reserved::headers) return refuse_name(name, "send it as HTTP headers");
    if (take_null(reader_)) return {};
    switch (reserved) {
      case Reserved::binary_data_output:
        request_.binary_output = TRY(read_flag(reader_, {}, name));
        return {};
      case Reserved::priority:
        request_.priority = TRY(read_unsigned(reader_, {}, name));
        return {};
      case Reserved::timeout:
        return decode_timeout(name);
      case Reserved::time:
        return decode_time(name);
      case Reserved::routing_key:
        return decode_routing_key(name);
      case Reserved::sequence_id:
        if (reader_.kind() != JsonKind::string) TRY(want(reader_, JsonKind::number, {}, name));
        return keep(name);
      case Reserved::sequence_start:
      case Reserved::sequence_end:
        TRY(want(reader_, JsonKind::boolean, {}, name));
        return keep(name);
      case Reserved::empty_final_response:
        TRY(read_flag(reader_, {}, name));  // Of no consequence: there is one answer.
        return {};
      case Reserved::headers:
        break;
    }
    return {};
  }

  // In microseconds; 0 is the same as none.
  Result<void> decode_timeout(std::string_view name) {
    const std::int64_t timeout = TRY(read_integer(reader_, {}, name));
    if (timeout < 0) {
      return fail(
          Code::invalid_argument,
          "the request: 'timeout' is {}; it must be a number of microseconds from 0 on",
          timeout
      );
    }
    if (timeout > 0) request_.timeout_us = timeout;
    return {};
  }

  Result<void> decode_time(std::string_view name) {
    if (reader_.kind() == JsonKind::number) {
      request_.time = TRY(read_integer(reader_, {}, name));
      return {};
    }
    std::string text;
    TRY(read_text(reader_, {}, name, options_.max_name_bytes, text));
    auto moment = parse_rfc3339(text);
    if (!moment) {
      return fail(
          Code::invalid_argument,
          "the request: 'weir_time' must be a time as in RFC 3339 or microseconds since 1970: {}",
          moment.error().message
      );
    }
    request_.time = *moment;
    return {};
  }

  // A key that is a number routes like the same digits in the header.
  Result<void> decode_routing_key(std::string_view name) {
    if (reader_.kind() == JsonKind::number) {
      request_.routing_key = fmt::format("{}", TRY(read_integer(reader_, {}, name)));
      return {};
    }
    return read_text(reader_, {}, name, options_.max_name_bytes, request_.routing_key);
  }

  Result<void> keep(std::string_view name) {
    auto value = TRY(read_value(name));
    if (!value) return {};
    request_.parameters.push_back({std::string(name), std::move(*value)});
    return {};
  }

  // Nothing for null.
  Result<std::optional<ParameterValue>> read_value(std::string_view name) {
    const Place place{"parameter", name};
    switch (reader_.kind()) {
      case JsonKind::null:
        if (!reader_.null()) return malformed(reader_);
        return std::optional<ParameterValue>();
      case JsonKind::boolean:
        return std::optional<ParameterValue>(TRY(read_flag(reader_, place, name)));
      case JsonKind::number: {
        JsonNumber number;
        if (!reader_.number(number)) return malformed(reader_);
        std::int64_t integer = 0;
        if (number.is_integer && to_integer(number, integer)) {
          return std::optional<ParameterValue>(integer);
        }
        double floating = 0;
        if (to_double(number, floating)) return std::optional<ParameterValue>(floating);
        return fail(Code::invalid_argument, "parameter '{}' is beyond the range of FP64", name);
      }
      case JsonKind::string: {
        std::string_view text;
        if (!reader_.string(text)) return malformed(reader_);
        return std::optional<ParameterValue>(std::string(text));
      }
      case JsonKind::nothing:
        reader_.fail("a value is missing");
        return malformed(reader_);
      default:
        return fail(
            Code::invalid_argument,
            "parameter '{}' is {}; parameters are strings, numbers or booleans",
            name,
            to_string(reader_.kind())
        );
    }
  }

  tl::unexpected<Error> refuse_name(std::string_view name, std::string_view why) const {
    return fail(Code::invalid_argument, "parameter '{}' cannot be used: {}", name, why);
  }

  JsonReader& reader_;
  const DecodeOptions& options_;
  PredictRequest& request_;
  std::bitset<reserved_names.size()> seen_;
};

}  // namespace

Result<void> decode_request_parameters(
    JsonReader& reader, const DecodeOptions& options, PredictRequest& request
) {
  if (take_null(reader)) return {};
  TRY(want(reader, JsonKind::object, {}, "parameters"));
  ParameterDecoder decoder(reader, options, request);
  reader.begin();
  std::string_view name;
  std::size_t count = 0;
  while (reader.next_member(name)) {
    if (name.size() > options.max_name_bytes) {
      return fail(
          Code::invalid_argument,
          "the name of a parameter has {} bytes; at most {} are allowed",
          name.size(),
          options.max_name_bytes
      );
    }
    if (count == options.max_parameters) {
      return fail(
          Code::invalid_argument, "the request has more than {} parameters", options.max_parameters
      );
    }
    ++count;
    TRY(decoder.decode(name));
  }
  if (reader.has_failed()) return malformed(reader);
  return {};
}

}  // namespace weir::protocol
