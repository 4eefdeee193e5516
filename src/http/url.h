#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// The parts of a request's target.

namespace weir::http {

// Decodes %41; '+' stays as it is. A broken escape, and %00, which no name of ours contains, is an
// invalid_argument.
Result<std::string> percent_decode(std::string_view text);

// The decoded value of the first `name=value` of a query, '+' read as a space; absent when the name
// does not occur, empty when it has no value.
Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name);

}  // namespace weir::http
