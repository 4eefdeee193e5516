#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rollout/document.h"

// Reads single values out of a document; errors name the place, what is wanted and what stands
// there. Pure.

namespace weir::rollout {

// "plan.yaml line 3: min_rows must be a whole number, not 'many'".
tl::unexpected<Error> bad_value(const Node& node, std::string_view name, std::string_view wanted);

Result<std::string> read_text(const Node& node, std::string_view name);
Result<std::uint64_t> read_count(const Node& node, std::string_view name);
Result<double> read_number(const Node& node, std::string_view name);
Result<std::int64_t> read_duration(const Node& node, std::string_view name);
Result<std::uint32_t> read_percent(const Node& node, std::string_view name);

}  // namespace weir::rollout
