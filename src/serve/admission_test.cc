#include "serve/admission.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr AdmissionOptions options{.max_backlog_us = 5'000, .backlog_interval_us = 100'000};

// Whether a request that has waited for so long is refused.
bool refuses(Backlog& backlog, std::int64_t now_ns, std::int64_t age_ns) {
  return backlog.refuses(now_ns - age_ns, now_ns, options);
}

TEST(Backlog, ABurstIsAnswered) {
  Backlog backlog;
  for (std::int64_t now = 1000 * ms; now < 1100 * ms; now += ms) {
    EXPECT_FALSE(refuses(backlog, now, 50 * ms));
  }
  EXPECT_TRUE(backlog.is_behind());
  EXPECT_FALSE(refuses(backlog, 1200 * ms, 5 * ms));
  EXPECT_FALSE(backlog.is_behind());
  EXPECT_FALSE(refuses(backlog, 1201 * ms, 50 * ms));
}

TEST(Backlog, AfterAWholeIntervalWhatWaitedTooLongIsRefusedUntilThereIsNone) {
  Backlog backlog;
  for (std::int64_t now = 1000 * ms; now < 1100 * ms; now += 20 * ms) {
    EXPECT_FALSE(refuses(backlog, now, 6 * ms));
    EXPECT_FALSE(refuses(backlog, now + ms, 5 * ms));  // Just in time.
  }
  EXPECT_TRUE(refuses(backlog, 1100 * ms, 6 * ms));
  EXPECT_FALSE(refuses(backlog, 1101 * ms, 5 * ms));
  EXPECT_TRUE(refuses(backlog, 1102 * ms, 6 * ms));
  EXPECT_FALSE(refuses(backlog, 1202 * ms, 6 * ms));  // None for an interval: it starts anew.
  EXPECT_TRUE(backlog.is_behind());
}

TEST(Backlog, WithoutALimitNothingIsRefused) {
  Backlog backlog;
  const AdmissionOptions none{.max_backlog_us = 0};
  EXPECT_FALSE(backlog.refuses(0, 1000 * ms, none));
  EXPECT_FALSE(backlog.refuses(0, 9000 * ms, none));
}

TEST(Admission, LoopsAreJudgedOneByOneAndTheMessageNamesTheLimit) {
  Admission admission(options);
  EXPECT_TRUE(admission.check_age(1, 0, 1000 * ms).has_value());
  EXPECT_TRUE(admission.check_age(1, 0, 1050 * ms).has_value());
  const Result<void> refused = admission.check_age(1, 0, 1100 * ms);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::exhausted);
  EXPECT_NE(refused.error().message.find("max_backlog"), std::string::npos);
  EXPECT_TRUE(admission.check_age(2, 0, 1100 * ms).has_value());
  EXPECT_TRUE(admission.is_behind(1));
  EXPECT_FALSE(admission.is_behind(0));
  EXPECT_EQ(admission.refused(), 1U);
}

}  // namespace
}  // namespace weir::serve
