#include "protocol/v2_parameters.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/clock.h"
#include "protocol/v2_fields.h"

namespace weir::protocol {
namespace {

enum class Reserved : std::uint8_t {
  none,
  binary_data_output,
  headers,
  priority,
  routing_key,
  sequence_flag,
  sequence_id,
  timeout,
  time,
  empty_final_response,
};

Reserved find_reserved(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Reserved>, 10> names = {{
      {"binary_data_output", Reserved::binary_data_output},
      {"headers", Reserved::headers},
      {"priority", Reserved::priority},
      {"weir-routing-key", Reserved::routing_key},
      {"sequence_start", Reserved::sequence_flag},
      {"sequence_end", Reserved::sequence_flag},
      {"sequence_id", Reserved::sequence_id},
      {"timeout", Reserved::timeout},
      {"weir_time", Reserved::time},
      {"triton_enable_empty_final_response", Reserved::empty_final_response},
  }};
  for (const auto& [known, reserved] : names) {
    if (known == name) return reserved;
  }
  return Reserved::none;
}

// One parameter at a time; `name` is a copy, because reading a value may overwrite the reader's.
class ParameterDecoder {
 public:
  ParameterDecoder(JsonReader& reader, const DecodeOptions& options, PredictRequest& request)
      : reader_(reader), options_(options), request_(request) {}

  Result<void> decode(const std::string& name) {
    const Reserved reserved = find_reserved(name);
    if (reserved == Reserved::none) {
      if (name.starts_with("triton_"))
        return refuse_name(name, "names with 'triton_' are reserved");
      return keep(name);
    }
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
      case Reserved::sequence_flag:
        TRY(want(reader_, JsonKind::boolean, {}, name));
        return keep(name);
      case Reserved::empty_final_response:
        TRY(read_flag(reader_, {}, name));  // Of no consequence: there is one answer.
        return {};
      default:
        return {};
    }
  }

 private:
  // In microseconds; 0 is the same as none.
  Result<void> decode_timeout(const std::string& name) {
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

  Result<void> decode_time(const std::string& name) {
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
  Result<void> decode_routing_key(const std::string& name) {
    if (reader_.kind() == JsonKind::number) {
      request_.routing_key = fmt::format("{}", TRY(read_integer(reader_, {}, name)));
      return {};
    }
    return read_text(reader_, {}, name, options_.max_name_bytes, request_.routing_key);
  }

  Result<void> keep(const std::string& name) {
    auto value = TRY(read_value(name));
    if (!value) return {};
    request_.parameters.push_back({name, std::move(*value)});
    return {};
  }

  // Nothing for null.
  Result<std::optional<ParameterValue>> read_value(const std::string& name) {
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

  tl::unexpected<Error> refuse_name(const std::string& name, std::string_view why) const {
    return fail(Code::invalid_argument, "parameter '{}' cannot be used: {}", name, why);
  }

  JsonReader& reader_;
  const DecodeOptions& options_;
  PredictRequest& request_;
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
  std::vector<std::string> names;
  while (reader.next_member(name)) {
    if (name.size() > options.max_name_bytes) {
      return fail(
          Code::invalid_argument,
          "the name of a parameter has {} bytes; at most {} are allowed",
          name.size(),
          options.max_name_bytes
      );
    }
    if (std::ranges::find(names, name) != names.end()) {
      return fail(Code::invalid_argument, "parameter '{}' is given twice", name);
    }
    if (names.size() == options.max_parameters) {
      return fail(
          Code::invalid_argument, "the request has more than {} parameters", options.max_parameters
      );
    }
    names.emplace_back(name);
    TRY(decoder.decode(names.back()));
  }
  if (reader.has_failed()) return malformed(reader);
  return {};
}

}  // namespace weir::protocol
