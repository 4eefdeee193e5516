#pragma once

#include <string_view>

#include "base/result.h"
#include "control/endpoint_state.h"
#include "store/store.h"

// Where the store keeps the endpoints.

namespace weir::control {

inline constexpr std::string_view endpoints_collection = "endpoints";

// The endpoint of that name as it was last written, by whichever process. An unknown one is an
// error that names those that there are.
Result<EndpointState> stored_endpoint(const store::Store& store, std::string_view name);

}  // namespace weir::control
