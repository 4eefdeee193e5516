#include "control/feedback.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

using ledger::Feedback;

constexpr Moment now = 1'000'000;

TEST(ParseFeedback, TakesArraysAndLines) {
  for (const char* body :
       {R"([{"id":"a","label":1},{"id":"b","row":2,"event":"click","value":3.5}])",
        "{\"id\":\"a\",\"label\":1}\n\n{\"id\":\"b\",\"row\":2,\"event\":\"click\",\"value\":3."
        "5}"}) {
    const auto rows = parse_feedback(body, now, {});
    ASSERT_TRUE(rows.has_value()) << rows.error().message;
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ(rows->at(0).kind, Feedback::Kind::label);
    EXPECT_EQ(rows->at(0).text, "1");
    EXPECT_EQ(rows->at(0).time, now);
    EXPECT_EQ(rows->at(1).kind, Feedback::Kind::event);
    EXPECT_EQ(rows->at(1).row, 2U);
    EXPECT_EQ(rows->at(1).value, 3.5);
  }
}

TEST(ParseFeedback, TakesOneObjectOverSeveralLines) {
  const auto rows = parse_feedback("{\n  \"id\": \"a\",\n  \"label\": 1\n}\n", now, {});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).id, "a");
}

TEST(ParseFeedback, OneLabelHasOneText) {
  for (const char* label : {"1", "1.0", "\"1\"", "\"1.0\"", "true"}) {
    const auto rows = parse_feedback(fmt::format(R"([{{"id":"a","label":{}}}])", label), now, {});
    ASSERT_TRUE(rows.has_value()) << label;
    EXPECT_EQ(rows->at(0).text, "1") << label;
  }
}

TEST(ParseFeedback, TimesAreTextOrMicroseconds) {
  const auto rows = parse_feedback(
      R"([{"id":"a","label":1,"time":"1970-01-01T00:00:02Z"},{"id":"a","label":1,"time":7}])",
      now,
      {}
  );
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->at(0).time, 2'000'000);
  EXPECT_EQ(rows->at(1).time, 7);
}

struct Fault {
  const char* body;
  const char* message_part;
};

TEST(ParseFeedback, FaultsNameTheRowAndTheKey) {
  const Fault faults[] = {
      {"", "empty"},
      {"[{]", "JSON"},
      {R"([{"label":1}])", "'id'"},
      {R"([{"id":"a"}])", "'label'"},
      {R"([{"id":"a","label":1},{"id":"b","lable":1}])", "row 1: unknown key 'lable'"},
      {R"([{"id":"a","label":1,"tag":"x"}])", "not several"},
      {R"([{"id":"a","label":{}}])", "'label'"},
      {R"([{"id":"a","label":1,"row":1.5}])", "'row'"},
      {R"([{"id":"a","label":1,"time":"soon"}])", "soon"},
      {R"([{"id":5,"label":1}])", "'id'"},
      {R"([{"id":"a","event":"e","value":"many"}])", "'value'"},
  };
  for (const Fault& fault : faults) {
    const auto rows = parse_feedback(fault.body, now, {});
    ASSERT_FALSE(rows.has_value()) << fault.body;
    EXPECT_EQ(rows.error().code, Code::invalid_argument);
    EXPECT_NE(rows.error().message.find(fault.message_part), std::string::npos)
        << rows.error().message;
  }
}

TEST(ParseFeedback, AKeyThatIsThereTwiceIsRefused) {
  const Fault faults[] = {
      {R"({"id":"a","id":"b","label":1})", "row 0: the key 'id' is there twice"},
      {R"([{"id":"a","label":1},{"id":"a","label":1,"label":1}])", "row 1: the key 'label'"},
      {"{\"id\":\"a\",\"label\":1}\n{\"id\":\"a\",\"tag\":null,\"tag\":\"t\"}",
       "row 1: the key 'tag'"},
      {"{\n\"id\": \"a\",\n\"label\": 1,\n\"i\\u0064\": \"b\"}", "row 0: the key 'id'"},
  };
  for (const Fault& fault : faults) {
    const auto rows = parse_feedback(fault.body, now, {});
    ASSERT_FALSE(rows.has_value()) << fault.body;
    EXPECT_EQ(rows.error().code, Code::invalid_argument);
    EXPECT_NE(rows.error().message.find(fault.message_part), std::string::npos)
        << rows.error().message;
  }
}

TEST(ParseFeedback, LimitsAreNamed) {
  FeedbackOptions options;
  options.max_rows = 1;
  const auto many = parse_feedback(R"([{"id":"a","label":1},{"id":"b","label":1}])", now, options);
  ASSERT_FALSE(many.has_value());
  EXPECT_NE(many.error().message.find("max_rows"), std::string::npos);
  options.max_id_bytes = 2;
  EXPECT_TRUE(parse_feedback(R"([{"id":"ab","label":1}])", now, options).has_value());
  EXPECT_FALSE(parse_feedback(R"([{"id":"abc","label":1}])", now, options).has_value());
}

TEST(ParseFeedback, DeepJsonIsRefused) {
  EXPECT_FALSE(parse_feedback(std::string(10'000, '['), now, {}).has_value());
}

TEST(FeedbackDesk, WithoutALedgerFeedbackIsRefused) {
  FeedbackDesk desk({}, nullptr);
  std::optional<Code> code;
  desk.submit("e", {{.id = "a", .text = "1"}}, [&](const auto& counts) {
    code = counts ? std::nullopt : std::optional(counts.error().code);
  });
  EXPECT_EQ(code, Code::unavailable);
}

}  // namespace
}  // namespace weir::control
