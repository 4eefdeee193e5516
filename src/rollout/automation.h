#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

// The dial of an endpoint: how much the model decides by itself. Pure.

namespace weir::rollout {

enum class Automation : std::uint8_t {
  human,    // A person decides, the model's answer is not shown.
  shadow,   // The same, while the model's answers are compared with the person's.
  assist,   // A person decides, the model suggests.
  partial,  // The model decides where it is confident, a person elsewhere.
  full,     // The model decides.
};
std::string_view to_string(Automation automation);
Result<Automation> parse_automation(std::string_view name);

// What becomes of one answer; response parameter weir_decision.
enum class Decision : std::uint8_t { answered, suggested, deferred };
std::string_view to_string(Decision decision);

// How sure a model is of one row, 0 to 1; NaN when it does not say, which is never confident.
Decision decide(Automation automation, double confidence, double confidence_threshold);

}  // namespace weir::rollout
