#pragma once

#include <string_view>

namespace weir::api {

// The OpenAPI 3 description of /api/v1, as JSON. tests/e2e checks it against real answers.
std::string_view openapi_document();

}  // namespace weir::api
