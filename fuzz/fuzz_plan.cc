// Plans in YAML, JSON and the short form, and states of rollouts. What is read must be written so
// that it reads back the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "rollout/plan.h"
#include "rollout/state.h"

namespace {

using weir::rollout::Plan;

void check_round_trip(const Plan& plan) {
  const std::string text = weir::rollout::to_json(plan);
  const auto again = weir::rollout::parse_plan_json(text);
  CHECK(again.has_value(), "what was written can be read");
  CHECK(weir::rollout::to_json(*again) == text, "the canonical text is stable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto plan = weir::rollout::parse_stages(text)) check_round_trip(*plan);
  if (const auto plan = weir::rollout::parse_plan_yaml(text, "fuzz.yaml")) check_round_trip(*plan);
  if (const auto plan = weir::rollout::parse_plan_json(text)) check_round_trip(*plan);
  if (const auto state = weir::rollout::parse_state_json(text)) {
    const std::string written = weir::rollout::to_json(*state);
    const auto again = weir::rollout::parse_state_json(written);
    CHECK(again.has_value(), "what was written can be read");
    CHECK(weir::rollout::to_json(*again) == written, "the canonical text is stable");
  }
  return 0;
}
