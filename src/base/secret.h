#pragma once

#include <string_view>

// Comparing secrets without telling by the time it takes how much of them is right.

namespace weir {

bool is_same_secret(std::string_view left, std::string_view right);

// Whether the value of an Authorization header is "Bearer " and this token.
bool is_bearer_of(std::string_view header, std::string_view token);

}  // namespace weir
