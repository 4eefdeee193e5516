#include "base/clock.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Clock, WritesAndReadsRfc3339) {
  EXPECT_EQ(to_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(951'782'400'000'001), "2000-02-29T00:00:00.000001Z");
  EXPECT_EQ(to_rfc3339(-1), "1969-12-31T23:59:59.999999Z");
  for (const Moment moment : {Moment{0}, Moment{-1}, Moment{951'782'400'000'001}, now_us()}) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339(moment)).value(), moment);
  }
}

TEST(Clock, ReadsOffsetsAndCutsFractionsToMicroseconds) {
  EXPECT_EQ(parse_rfc3339("1970-01-01 01:00:00.1234567+01:00").value(), 123'456);
  EXPECT_EQ(parse_rfc3339("1969-12-31T19:00:00-05:00").value(), 0);
}

TEST(Clock, RefusesWhatIsNotATime) {
  for (const char* text :
       {"",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Zx"}) {
    const auto parsed = parse_rfc3339(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  }
}

TEST(Clock, ReadsDurations) {
  EXPECT_EQ(parse_duration("250ms").value(), 250'000);
  EXPECT_EQ(parse_duration("10m").value(), 600 * us_per_second);
  EXPECT_EQ(parse_duration("7d").value(), 7 * us_per_day);
  for (const char* text : {"", "10", "m", "-1s", "1w", "99999999999999d"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace weir
