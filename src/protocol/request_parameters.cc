#include "protocol/request_parameters.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include <fmt/core.h>

#include "base/clock.h"

namespace weir::protocol {
namespace {

enum Reserved : std::size_t {
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
constexpr std::array<std::string_view, RequestParameters::reserved_count> reserved_names = {
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

std::size_t find_reserved(std::string_view name) {
  const auto* const found = std::ranges::find(reserved_names, name);
  return static_cast<std::size_t>(found - reserved_names.begin());
}

std::string_view kind_of(const GivenValue& value) {
  constexpr std::array<std::string_view, 6> kinds = {
      "null", "a boolean", "a number", "a number", "a number", "a string"};
  return kinds[value.index()];
}

tl::unexpected<Error> wrong_kind(
    std::string_view name, std::string_view wanted, const GivenValue& value
) {
  return fail(
      Code::invalid_argument, "the request: '{}' must be {}, not {}", name, wanted, kind_of(value)
  );
}

tl::unexpected<Error> refuse_name(std::string_view name, std::string_view why) {
  return fail(Code::invalid_argument, "parameter '{}' cannot be used: {}", name, why);
}

Result<bool> flag_of(std::string_view name, const GivenValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  return wrong_kind(name, "a boolean", value);
}

Result<void> want_integer(std::string_view name, const GivenValue& value) {
  if (const double* number = std::get_if<double>(&value)) {
    return fail(
        Code::invalid_argument, "the request: '{}' must be an integer, not {}", name, *number
    );
  }
  const bool is_integer =
      std::holds_alternative<std::int64_t>(value) || std::holds_alternative<std::uint64_t>(value);
  if (!is_integer) return wrong_kind(name, "a number", value);
  return {};
}

Result<std::int64_t> integer_of(std::string_view name, const GivenValue& value) {
  TRY(want_integer(name, value));
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const std::uint64_t number = std::get<std::uint64_t>(value);
  if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return static_cast<std::int64_t>(number);
  }
  return fail(
      Code::invalid_argument, "the request: '{}' is {}; it must be -2^63 to 2^63 - 1", name, number
  );
}

Result<std::uint64_t> unsigned_of(std::string_view name, const GivenValue& value) {
  TRY(want_integer(name, value));
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  const std::int64_t number = std::get<std::int64_t>(value);
  if (number >= 0) return static_cast<std::uint64_t>(number);
  return fail(
      Code::invalid_argument, "the request: '{}' is {}; it must be 0 to 2^64 - 1", name, number
  );
}

// In microseconds; 0 is the same as none.
Result<std::optional<std::int64_t>> timeout_of(std::string_view name, const GivenValue& value) {
  const std::int64_t microseconds = TRY(integer_of(name, value));
  if (microseconds < 0) {
    return fail(
        Code::invalid_argument,
        "the request: 'timeout' is {}; it must be a number of microseconds from 0 on",
        microseconds
    );
  }
  if (microseconds == 0) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(microseconds);
}

}  // namespace

Result<std::string_view> RequestParameters::check_name(std::string_view name) {
  if (name.size() > options_.max_name_bytes) {
    return fail(
        Code::invalid_argument,
        "the name of a parameter has {} bytes; at most {} are allowed",
        name.size(),
        options_.max_name_bytes
    );
  }
  if (count_ == options_.max_parameters) {
    return fail(
        Code::invalid_argument, "the request has more than {} parameters", options_.max_parameters
    );
  }
  ++count_;
  const std::size_t reserved = find_reserved(name);
  if (reserved == headers) return refuse_name(name, "send it as HTTP headers");
  if (reserved == reserved_count && name.starts_with("triton_")) {
    return refuse_name(name, "names with 'triton_' are reserved");
  }
  const auto same = [&](const Parameter& other) { return other.name == name; };
  const bool is_second = reserved < reserved_count ? seen_.test(reserved)
                                                   : std::ranges::any_of(request_.parameters, same);
  if (is_second) return fail(Code::invalid_argument, "parameter '{}' is given twice", name);
  return reserved < reserved_count ? reserved_names[reserved] : name;
}

Result<void> RequestParameters::take(std::string_view name, const GivenValue& value) {
  const std::size_t reserved = find_reserved(name);
  if (reserved < reserved_count) seen_.set(reserved);
  if (std::holds_alternative<std::monostate>(value)) return {};
  if (reserved < reserved_count) return take_reserved(reserved, name, value);
  keep(name, value);
  return {};
}

Result<void> RequestParameters::take_reserved(
    std::size_t reserved, std::string_view name, const GivenValue& value
) {
  switch (reserved) {
    case binary_data_output:
      request_.binary_output = TRY(flag_of(name, value));
      return {};
    case priority:
      request_.priority = TRY(unsigned_of(name, value));
      return {};
    case timeout:
      request_.timeout_us = TRY(timeout_of(name, value));
      return {};
    case time:
      return take_time(value);
    case routing_key:
      return take_routing_key(value);
    case sequence_id:
      if (!std::holds_alternative<std::string_view>(value)) TRY(want_integer(name, value));
      keep(name, value);
      return {};
    case sequence_start:
    case sequence_end:
      TRY(flag_of(name, value));
      keep(name, value);
      return {};
    case empty_final_response:
      TRY(flag_of(name, value));  // Of no consequence: there is one answer.
      return {};
    default:
      return {};
  }
}

Result<void> RequestParameters::take_time(const GivenValue& value) {
  const auto* const text = std::get_if<std::string_view>(&value);
  if (text == nullptr) {
    request_.time = TRY(integer_of("weir_time", value));
    return {};
  }
  auto moment = parse_rfc3339(*text);
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
Result<void> RequestParameters::take_routing_key(const GivenValue& value) {
  const auto* const text = std::get_if<std::string_view>(&value);
  if (text == nullptr) {
    request_.routing_key = fmt::format("{}", TRY(integer_of("weir-routing-key", value)));
    return {};
  }
  if (text->size() > options_.max_name_bytes) {
    return fail(
        Code::invalid_argument,
        "the request: 'weir-routing-key' has {} bytes; at most {} are allowed",
        text->size(),
        options_.max_name_bytes
    );
  }
  request_.routing_key = *text;
  return {};
}

void RequestParameters::keep(std::string_view name, const GivenValue& value) {
  Parameter parameter{std::string(name), false};
  if (const auto* flag = std::get_if<bool>(&value)) parameter.value = *flag;
  if (const auto* number = std::get_if<std::int64_t>(&value)) parameter.value = *number;
  if (const auto* number = std::get_if<double>(&value)) parameter.value = *number;
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    parameter.value = std::string(*text);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    // Parameters have no unsigned kind: beyond the signed ones it is a floating-point number.
    if (*number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      parameter.value = static_cast<std::int64_t>(*number);
    } else {
      parameter.value = static_cast<double>(*number);
    }
  }
  request_.parameters.push_back(std::move(parameter));
}

}  // namespace weir::protocol
