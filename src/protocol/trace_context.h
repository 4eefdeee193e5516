#pragma once

#include <string_view>

// The names that a request brings along from outside. What is not well-formed is treated as absent:
// it would end up in records, logs and the requests to other servers.

namespace weir::protocol {

// W3C trace context, level 1: "00-<32 hex digits>-<16 hex digits>-<2 hex digits>", lower case,
// neither the trace's nor the parent's id all zeros. A later version may have more behind it.
bool is_traceparent(std::string_view value);

// Of a header like x-request-id: 1 to 128 visible ASCII characters.
bool is_request_id(std::string_view value);

}  // namespace weir::protocol
