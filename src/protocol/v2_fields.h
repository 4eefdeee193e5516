#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/json_reader.h"

// The common fields of V2 bodies, read with messages that say where they stand. Inside protocol/.

namespace weir::protocol {

// Where a field stands: "input 'x'", "output 2" or, without a noun, the request itself. Borrows.
struct Place {
  std::string_view noun = {};
  std::string_view name = {};  // When it is empty the index is told.
  std::size_t index = 0;
};
std::string to_string(const Place& place);

// The error of a reader that has failed.
tl::unexpected<Error> malformed(const JsonReader& reader);

// An invalid_argument unless the next value is of that kind. `key` is its name in the body.
Result<void> want(JsonReader& reader, JsonKind kind, const Place& place, std::string_view key);

// Each takes one value. A text longer than max_bytes is refused.
Result<void> read_text(
    JsonReader& reader,
    const Place& place,
    std::string_view key,
    std::size_t max_bytes,
    std::string& text
);
Result<bool> read_flag(JsonReader& reader, const Place& place, std::string_view key);
Result<std::uint64_t> read_unsigned(JsonReader& reader, const Place& place, std::string_view key);
Result<std::int64_t> read_integer(JsonReader& reader, const Place& place, std::string_view key);

// Takes a null, which some clients write for what they leave out.
bool take_null(JsonReader& reader);

}  // namespace weir::protocol
