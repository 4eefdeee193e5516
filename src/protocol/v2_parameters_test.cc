#include "protocol/v2_parameters.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"

namespace weir::protocol {
namespace {

using testing::HasSubstr;

// The request that these parameters make; the message when they are refused.
Result<PredictRequest> decode(const std::string& parameters, const DecodeOptions& options = {}) {
  const std::string body = fmt::format(
      R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","data":[1]}}],"parameters":{}}})",
      parameters
  );
  PredictRequest request;
  TRY(decode_v2(body, std::nullopt, options, request));
  return request;
}

std::string message_of(const std::string& parameters) {
  const auto request = decode(parameters);
  if (request) return "no error";
  EXPECT_EQ(request.error().code, Code::invalid_argument);
  return request.error().message;
}

TEST(V2Parameters, ReadsTheReservedOnes) {
  const auto request =
      decode(R"({"timeout":1500,"priority":18446744073709551615,"binary_data_output":true,)"
             R"("weir_time":"2026-11-24T14:55:04.5Z","weir-routing-key":"user 7",)"
             R"("triton_enable_empty_final_response":true})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->timeout_us, 1500);
  EXPECT_EQ(request->priority, std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(request->binary_output);
  EXPECT_EQ(to_rfc3339(request->time.value()), "2026-11-24T14:55:04.500000Z");
  EXPECT_EQ(request->routing_key, "user 7");
  EXPECT_TRUE(request->parameters.empty());
}

TEST(V2Parameters, TakesTimeInMicrosecondsAndKeysThatAreNumbers) {
  const auto request = decode(R"({"weir_time":1700000000000001,"weir-routing-key":42})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->time, 1700000000000001);
  EXPECT_EQ(request->routing_key, "42");
}

TEST(V2Parameters, TakesTheSequenceIdAsIntegerAndAsString) {
  const auto number = decode(R"({"sequence_id":7,"sequence_start":true,"sequence_end":false})");
  ASSERT_TRUE(number) << number.error().message;
  ASSERT_EQ(number->parameters.size(), 3);
  EXPECT_EQ(std::get<std::int64_t>(number->parameters[0].value), 7);
  const auto text = decode(R"({"sequence_id":"seven"})");
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(std::get<std::string>(text->parameters[0].value), "seven");
}

TEST(V2Parameters, KeepsTheClientsOwn) {
  const auto request =
      decode(R"({"text":"a\nb","flag":false,"count":-3,"share":0.25,"big":1e20,"none":null})");
  ASSERT_TRUE(request) << request.error().message;
  const auto& parameters = request->parameters;
  ASSERT_EQ(parameters.size(), 5);
  EXPECT_EQ(parameters[0].name, "text");
  EXPECT_EQ(std::get<std::string>(parameters[0].value), "a\nb");
  EXPECT_EQ(std::get<bool>(parameters[1].value), false);
  EXPECT_EQ(std::get<std::int64_t>(parameters[2].value), -3);
  EXPECT_EQ(std::get<double>(parameters[3].value), 0.25);
  EXPECT_EQ(std::get<double>(parameters[4].value), 1e20);
}

TEST(V2Parameters, RefusesReservedNamesWithAnotherType) {
  EXPECT_THAT(message_of(R"({"timeout":"1"})"), HasSubstr("'timeout' must be a number"));
  EXPECT_THAT(message_of(R"({"timeout":1.5})"), HasSubstr("'timeout' must be an integer"));
  EXPECT_THAT(message_of(R"({"timeout":-1})"), HasSubstr("'timeout' is -1"));
  EXPECT_THAT(message_of(R"({"priority":-1})"), HasSubstr("'priority' is -1"));
  EXPECT_THAT(message_of(R"({"priority":true})"), HasSubstr("'priority' must be a number"));
  EXPECT_THAT(message_of(R"({"sequence_id":true})"), HasSubstr("'sequence_id'"));
  EXPECT_THAT(message_of(R"({"sequence_start":1})"), HasSubstr("'sequence_start' must be a bool"));
  EXPECT_THAT(message_of(R"({"sequence_end":"yes"})"), HasSubstr("'sequence_end' must be a bool"));
  EXPECT_THAT(message_of(R"({"binary_data_output":"true"})"), HasSubstr("must be a boolean"));
  EXPECT_THAT(message_of(R"({"weir_time":"yesterday"})"), HasSubstr("RFC 3339"));
  EXPECT_THAT(message_of(R"({"weir_time":true})"), HasSubstr("'weir_time'"));
  EXPECT_THAT(message_of(R"({"weir-routing-key":[]})"), HasSubstr("'weir-routing-key'"));
}

TEST(V2Parameters, RefusesNamesThatCannotBeUsed) {
  EXPECT_THAT(message_of(R"({"triton_final_response":true})"), HasSubstr("'triton_' are reserved"));
  EXPECT_THAT(message_of(R"({"headers":{}})"), HasSubstr("HTTP headers"));
  EXPECT_THAT(message_of(R"({"a":1,"b":2,"a":3})"), HasSubstr("'a' is given twice"));
  EXPECT_THAT(message_of(R"({"timeout":1,"timeout":2})"), HasSubstr("'timeout' is given twice"));
}

TEST(V2Parameters, RefusesValuesThatAreNotSimple) {
  EXPECT_THAT(message_of(R"({"a":[1]})"), HasSubstr("parameter 'a' is an array"));
  EXPECT_THAT(message_of(R"({"a":{}})"), HasSubstr("parameter 'a' is an object"));
  EXPECT_THAT(message_of(R"({"a":NaN})"), HasSubstr("not finite"));
  EXPECT_THAT(message_of(R"({"a":1e400})"), HasSubstr("range"));
  EXPECT_THAT(message_of("[]"), HasSubstr("'parameters' must be an object"));
}

TEST(V2Parameters, TreatsATimeoutOfZeroAsNone) {
  EXPECT_EQ(decode(R"({"timeout":0})")->timeout_us, std::nullopt);
}

TEST(V2Parameters, KeepsToItsLimits) {
  DecodeOptions options;
  options.max_parameters = 2;
  options.max_name_bytes = 16;
  EXPECT_TRUE(decode(R"({"a":1,"b":2})", options));
  EXPECT_FALSE(decode(R"({"a":1,"b":2,"c":3})", options));
  EXPECT_TRUE(decode(R"({"a234567890123456":1})", options));
  EXPECT_FALSE(decode(R"({"a2345678901234567":1})", options));
  EXPECT_TRUE(decode(R"({"weir-routing-key":"a234567890123456"})", options));
  EXPECT_FALSE(decode(R"({"weir-routing-key":"a2345678901234567"})", options));
}

}  // namespace
}  // namespace weir::protocol
