#pragma once

#include "base/result.h"
#include "serve/call.h"

namespace weir::serve {

// Finds the routing key of a call where its route says, and sets call.key_hash; without one it
// stays empty and the split is drawn by chance. Requires: the call is decoded and has a route.
Result<void> read_routing_key(Call& call);

// The value of a cookie in a Cookie header; empty when it is not there.
std::string_view cookie_value(std::string_view header, std::string_view name);

}  // namespace weir::serve
