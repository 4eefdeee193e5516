#include "rollout/split.h"

#include "base/check.h"

namespace weir::rollout {

std::string_view to_string(Arm arm) {
  switch (arm) {
    case Arm::primary:
      return "primary";
    case Arm::candidate:
      return "candidate";
    case Arm::shadow:
      return "shadow";
    case Arm::human:
      return "human";
  }
  CHECK(false, "an arm is one of four");
}

}  // namespace weir::rollout
