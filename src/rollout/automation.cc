#include "rollout/automation.h"

#include <array>

#include "base/check.h"

namespace weir::rollout {

std::string_view to_string(Automation automation) {
  switch (automation) {
    case Automation::human:
      return "human";
    case Automation::shadow:
      return "shadow";
    case Automation::assist:
      return "assist";
    case Automation::partial:
      return "partial";
    case Automation::full:
      return "full";
  }
  CHECK(false, "the dial has five positions");
}

Result<Automation> parse_automation(std::string_view name) {
  constexpr std::array all = {
      Automation::human,
      Automation::shadow,
      Automation::assist,
      Automation::partial,
      Automation::full};
  for (const Automation automation : all) {
    if (to_string(automation) == name) return automation;
  }
  return fail(
      Code::invalid_argument,
      "'{}' is no degree of automation; choose human, shadow, assist, partial or full",
      name
  );
}

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::answered:
      return "answered";
    case Decision::suggested:
      return "suggested";
    case Decision::deferred:
      return "deferred";
  }
  CHECK(false, "a decision is one of three");
}

Decision decide(Automation automation, double confidence, double confidence_threshold) {
  switch (automation) {
    case Automation::human:
    case Automation::shadow:
      return Decision::deferred;
    case Automation::assist:
      return Decision::suggested;
    case Automation::partial:
      // False for NaN as well.
      return confidence >= confidence_threshold ? Decision::answered : Decision::deferred;
    case Automation::full:
      return Decision::answered;
  }
  CHECK(false, "the dial has five positions");
}

}  // namespace weir::rollout
