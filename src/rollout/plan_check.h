#pragma once

#include <string_view>

#include "base/result.h"
#include "rollout/plan.h"

// What makes a plan sound, wherever it comes from. Pure.

namespace weir::rollout {

// `where` begins the message.
Result<void> check_plan(const Plan& plan, std::string_view where);

// Guardrails that watch for something that must never happen, so that there is no limit to give.
bool needs_no_limit(std::string_view guardrail);

}  // namespace weir::rollout
