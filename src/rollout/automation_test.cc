#include "rollout/automation.h"

#include <cmath>

#include <gtest/gtest.h>

namespace weir::rollout {
namespace {

TEST(Automation, ReadsTheNamesItWrites) {
  for (const auto automation :
       {Automation::human,
        Automation::shadow,
        Automation::assist,
        Automation::partial,
        Automation::full}) {
    const auto again = parse_automation(to_string(automation));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, automation);
  }
  const auto unknown = parse_automation("auto");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(
      unknown.error().message,
      "'auto' is no degree of automation; choose human, shadow, assist, partial or full"
  );
}

TEST(Automation, AnswersEverythingWhenFullAndNothingForAPerson) {
  for (const double confidence : {0.0, 0.5, 1.0, std::nan("")}) {
    EXPECT_EQ(decide(Automation::full, confidence, 0.9), Decision::answered);
    EXPECT_EQ(decide(Automation::human, confidence, 0.9), Decision::deferred);
    EXPECT_EQ(decide(Automation::shadow, confidence, 0.9), Decision::deferred);
    EXPECT_EQ(decide(Automation::assist, confidence, 0.9), Decision::suggested);
  }
}

TEST(Automation, AnswersFromItsThresholdOnWhenPartial) {
  EXPECT_EQ(decide(Automation::partial, 0.9, 0.9), Decision::answered);
  EXPECT_EQ(decide(Automation::partial, 0.89, 0.9), Decision::deferred);
  EXPECT_EQ(decide(Automation::partial, std::nan(""), 0), Decision::deferred);
}

TEST(Automation, NamesTheDecisions) {
  EXPECT_EQ(to_string(Decision::answered), "answered");
  EXPECT_EQ(to_string(Decision::suggested), "suggested");
  EXPECT_EQ(to_string(Decision::deferred), "deferred");
}

}  // namespace
}  // namespace weir::rollout
