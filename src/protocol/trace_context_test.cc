#include "protocol/trace_context.h"

#include <string>

#include <gtest/gtest.h>

namespace weir::protocol {
namespace {

const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, TakesWhatTheSpecificationShows) {
  EXPECT_TRUE(is_traceparent(good));
  EXPECT_TRUE(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
}

TEST(TraceContext, TakesALaterVersionWithMoreBehindIt) {
  EXPECT_TRUE(is_traceparent("01" + good.substr(2)));
  EXPECT_TRUE(is_traceparent("cc" + good.substr(2) + "-what-the-future-brings"));
  EXPECT_FALSE(is_traceparent("cc" + good.substr(2) + "x"));
  EXPECT_FALSE(is_traceparent("cc" + good.substr(2) + "-a b"));
  EXPECT_FALSE(is_traceparent(good + "-more"));
}

TEST(TraceContext, RefusesWhatIsNone) {
  EXPECT_FALSE(is_traceparent(""));
  EXPECT_FALSE(is_traceparent(good.substr(1)));
  EXPECT_FALSE(is_traceparent(good.substr(0, good.size() - 1)));
  EXPECT_FALSE(is_traceparent("ff" + good.substr(2)));
  EXPECT_FALSE(is_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
  EXPECT_FALSE(is_traceparent("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string broken = good;
    broken[i] = 'x';
    EXPECT_FALSE(is_traceparent(broken)) << broken;
  }
}

TEST(RequestId, IsShortAndVisible) {
  EXPECT_TRUE(is_request_id("a"));
  EXPECT_TRUE(is_request_id("req-7/!~\"{}"));
  EXPECT_TRUE(is_request_id(std::string(128, 'x')));
  EXPECT_FALSE(is_request_id(std::string(129, 'x')));
  EXPECT_FALSE(is_request_id(""));
  EXPECT_FALSE(is_request_id("a b"));
  EXPECT_FALSE(is_request_id("a\xC3\xA4"));
  EXPECT_FALSE(is_request_id("a\x7f"));
}

}  // namespace
}  // namespace weir::protocol
