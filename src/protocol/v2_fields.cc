#include "protocol/v2_fields.h"

#include <limits>

#include <fmt/core.h>

namespace weir::protocol {

std::string to_string(const Place& place) {
  if (place.noun.empty()) return "the request";
  if (place.name.empty()) return fmt::format("{} {}", place.noun, place.index);
  return fmt::format("{} '{}'", place.noun, place.name);
}

tl::unexpected<Error> malformed(const JsonReader& reader) {
  return fail(Code::invalid_argument, "the request is not readable JSON: {}", reader.problem());
}

Result<void> want(JsonReader& reader, JsonKind kind, const Place& place, std::string_view key) {
  const JsonKind actual = reader.kind();
  if (actual == kind) [[likely]]
    return {};
  if (actual == JsonKind::nothing) {
    reader.fail("a value is missing");
    return malformed(reader);
  }
  return fail(
      Code::invalid_argument,
      "{}: '{}' must be {}, not {}",
      to_string(place),
      key,
      to_string(kind),
      to_string(actual)
  );
}

Result<void> read_text(
    JsonReader& reader,
    const Place& place,
    std::string_view key,
    std::size_t max_bytes,
    std::string& text
) {
  TRY(want(reader, JsonKind::string, place, key));
  std::string_view value;
  if (!reader.string(value)) return malformed(reader);
  if (value.size() > max_bytes) {
    return fail(
        Code::invalid_argument,
        "{}: '{}' has {} bytes; at most {} are allowed",
        to_string(place),
        key,
        value.size(),
        max_bytes
    );
  }
  text = value;
  return {};
}

Result<bool> read_flag(JsonReader& reader, const Place& place, std::string_view key) {
  TRY(want(reader, JsonKind::boolean, place, key));
  bool value = false;
  if (!reader.boolean(value)) return malformed(reader);
  return value;
}

namespace {

Result<JsonNumber> read_whole(JsonReader& reader, const Place& place, std::string_view key) {
  TRY(want(reader, JsonKind::number, place, key));
  JsonNumber number;
  if (!reader.number(number)) return malformed(reader);
  if (!number.is_integer) {
    return fail(
        Code::invalid_argument,
        "{}: '{}' must be an integer, not {}",
        to_string(place),
        key,
        std::string_view(number.begin, number.end)
    );
  }
  return number;
}

tl::unexpected<Error> out_of_range(
    const JsonNumber& number, const Place& place, std::string_view key, std::string_view allowed
) {
  return fail(
      Code::invalid_argument,
      "{}: '{}' is {}; it must be {}",
      to_string(place),
      key,
      std::string_view(number.begin, number.end),
      allowed
  );
}

}  // namespace

Result<std::uint64_t> read_unsigned(JsonReader& reader, const Place& place, std::string_view key) {
  const JsonNumber number = TRY(read_whole(reader, place, key));
  std::uint64_t value = 0;
  if (!to_magnitude(number, value) || (number.is_negative && value != 0)) {
    return out_of_range(number, place, key, "0 to 2^64 - 1");
  }
  return value;
}

Result<std::int64_t> read_integer(JsonReader& reader, const Place& place, std::string_view key) {
  const JsonNumber number = TRY(read_whole(reader, place, key));
  std::int64_t value = 0;
  if (!to_integer(number, value)) return out_of_range(number, place, key, "-2^63 to 2^63 - 1");
  return value;
}

bool take_null(JsonReader& reader) {
  return reader.kind() == JsonKind::null && reader.null();
}

}  // namespace weir::protocol
