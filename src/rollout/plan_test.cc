#include "rollout/plan.h"

#include <cstdlib>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "rollout/split.h"

namespace weir::rollout {
namespace {

using ::testing::HasSubstr;

Plan must(const Result<Plan>& plan) {
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? *plan : Plan{};
}
std::string names(const Plan& plan) {
  std::string text;
  for (const Stage& stage : plan.stages) text += (text.empty() ? "" : ", ") + stage.name();
  return text;
}
std::string error_of(const Result<Plan>& plan) {
  return plan ? "no error" : plan.error().message;
}

TEST(Plan, ReadsTheShortForm) {
  const Plan plan = must(parse_stages("shadow,5,25,50,100"));
  EXPECT_EQ(names(plan), "shadow, canary 5%, canary 25%, canary 50%, bake");
  EXPECT_EQ(plan.stages[1].share_ppm, 50'000u);
  EXPECT_EQ(plan.stages[4].share_ppm, whole_ppm);
  EXPECT_EQ(plan.stages[4].min_time_us, 600 * us_per_second);
  EXPECT_EQ(plan.on_fail, OnFail::rollback);
}

TEST(Plan, GoesToEverybodyAtOnceWithABakeFor100Alone) {
  const Plan plan = must(parse_stages("100"));
  EXPECT_EQ(names(plan), "bake");
  EXPECT_EQ(plan.stages[0].share_ppm, whole_ppm);
}

TEST(Plan, TakesSharesWithDecimalsPercentSignsAndSpaces) {
  EXPECT_EQ(
      names(must(parse_stages(" shadow , 0.25%, 12.5 , 99.9999"))),
      "shadow, canary 0.25%, canary 12.5%, canary 99.9999%"
  );
}

TEST(Plan, TakesABakeOfAnotherLength) {
  EXPECT_EQ(must(parse_stages("5,bake:30m")).stages[1].min_time_us, 1800 * us_per_second);
  const Plan both = must(parse_stages("5,100,bake:30m"));
  EXPECT_EQ(names(both), "canary 5%, bake");
  EXPECT_EQ(both.stages[1].min_time_us, 1800 * us_per_second);
  EXPECT_EQ(must(parse_stages("bake")).stages[0].min_time_us, default_bake_us);
}

TEST(Plan, RefusesStagesThatMakeNoSense) {
  EXPECT_THAT(error_of(parse_stages("")), HasSubstr("shadow,5,25,50,100"));
  EXPECT_THAT(error_of(parse_stages("shadow,,5")), HasSubstr("'' is no stage"));
  EXPECT_THAT(error_of(parse_stages("5,banana")), HasSubstr("'banana' is no stage"));
  EXPECT_THAT(error_of(parse_stages("101")), HasSubstr("'101' is no stage"));
  EXPECT_THAT(error_of(parse_stages("-5")), HasSubstr("'-5' is no stage"));
  EXPECT_THAT(error_of(parse_stages("0")), HasSubstr("must grow"));
  EXPECT_THAT(error_of(parse_stages("5,5")), HasSubstr("5% follows 5%"));
  EXPECT_THAT(error_of(parse_stages("25,5")), HasSubstr("must grow"));
  EXPECT_THAT(error_of(parse_stages("5,shadow")), HasSubstr("only be the first"));
  EXPECT_THAT(error_of(parse_stages("100,5")), HasSubstr("only be the last"));
  EXPECT_THAT(error_of(parse_stages("5,bake:0s")), HasSubstr("length"));
  EXPECT_THAT(error_of(parse_stages("5,bake:soon")), HasSubstr("not a duration"));
}

TEST(Plan, TakesAsManyStagesAsItsLimitAndNoMore) {
  std::string text = "shadow";
  for (int i = 1; i < 100; ++i) text += "," + std::to_string(i);
  EXPECT_EQ(must(parse_stages(text)).stages.size(), 100u);
  EXPECT_THAT(error_of(parse_stages(text + ",100")), HasSubstr("more than 100 stages"));
}

constexpr std::string_view whole_yaml = R"(stages:
  - shadow: {min_rows: 1000, min_time: 10m}
  - canary: 5
  - canary: {share: 25, min_rows: 200, min_time: 60s}
  - bake: 30m
gates:
  - metric: error_rate
    margin: 0.005
    fail_margin: 0.01
  - {metric: disagreement, slice: "amount > 1000", margin: 0.02, stages: [shadow, 5]}
guardrails:
  - crash
  - {metric: error_rate, max: 0.1, min_rows: 20}
on_fail: pause
deadline: 1d
)";

TEST(Plan, ReadsYamlWithEverythingInIt) {
  const Plan plan = must(parse_plan_yaml(whole_yaml, "plan.yaml"));
  EXPECT_EQ(names(plan), "shadow, canary 5%, canary 25%, bake");
  EXPECT_EQ(plan.stages[0].min_rows, 1000u);
  EXPECT_EQ(plan.stages[0].min_time_us, 600 * us_per_second);
  EXPECT_EQ(plan.stages[2].min_rows, 200u);
  EXPECT_EQ(plan.stages[3].min_time_us, 1800 * us_per_second);
  ASSERT_EQ(plan.gates.size(), 2u);
  EXPECT_EQ(plan.gates[0], (Gate{"error_rate", "", 0.005, 0.01, {}}));
  EXPECT_EQ(plan.gates[1], (Gate{"disagreement", "amount > 1000", 0.02, {}, {"shadow", "5"}}));
  ASSERT_EQ(plan.guardrails.size(), 2u);
  EXPECT_EQ(plan.guardrails[0], (Guardrail{"crash", {}, 0}));
  EXPECT_EQ(plan.guardrails[1], (Guardrail{"error_rate", 0.1, 20}));
  EXPECT_EQ(plan.on_fail, OnFail::pause);
  EXPECT_EQ(plan.deadline_us, us_per_day);
}

TEST(Plan, WritesACanonicalJsonThatReadsBack) {
  const Plan plan = must(parse_plan_yaml(whole_yaml, "plan.yaml"));
  const std::string json = to_json(plan);
  EXPECT_EQ(
      json,
      R"({"stages":[{"shadow":{"min_rows":1000,"min_time":"10m"}},{"canary":5},)"
      R"({"canary":{"share":25,"min_rows":200,"min_time":"1m"}},{"bake":"30m"}],)"
      R"("gates":[{"metric":"error_rate","margin":0.005,"fail_margin":0.01},)"
      R"({"metric":"disagreement","slice":"amount > 1000","margin":0.02,"stages":["shadow","5"]}],)"
      R"("guardrails":["crash",{"metric":"error_rate","max":0.1,"min_rows":20}],)"
      R"("on_fail":"pause","deadline":"1d"})"
  );
  EXPECT_EQ(must(parse_plan_json(json)), plan);
}

TEST(Plan, TakesTheShortFormInsideYaml) {
  const Plan wanted = must(parse_stages("shadow,5,100"));
  EXPECT_EQ(must(parse_plan_yaml("shadow,5,100", "f")), wanted);
  EXPECT_EQ(must(parse_plan_yaml("stages: shadow,5,100", "f")), wanted);
  EXPECT_EQ(must(parse_plan_yaml("stages: [shadow, {canary: 5%}, {bake: }]", "f")), wanted);
  EXPECT_EQ(must(parse_plan_yaml("stages: [{shadow: }, {canary: {share: 5}}, bake]", "f")), wanted);
}

// What stands there and what the message says.
struct Refusal {
  const char* yaml;
  const char* message;
};
class PlanRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(PlanRefusal, NamesTheLineTheThingAndTheFix) {
  const auto plan = parse_plan_yaml(GetParam().yaml, "p.yaml");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::invalid_argument);
  EXPECT_THAT(plan.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Plans,
    PlanRefusal,
    ::testing::Values(
        Refusal{"", "p.yaml line 1: a plan must be"},
        Refusal{"[1]", "p.yaml line 1: a plan must be"},
        Refusal{"gates: []", "a plan must be"},
        Refusal{
            "stages: [shadow]\nstage: 1", "p.yaml line 2: a plan has no key 'stage'; it has st"},
        Refusal{"stages: []", "at least one stage"},
        Refusal{"stages: {canary: 5}", "p.yaml line 1: stages must be a list"},
        Refusal{"stages:\n - {canary: 5, bake: 1m}", "p.yaml line 2: a stage must be"},
        Refusal{"stages:\n - shadow\n - canary: x", "line 3: canary must be percent"},
        Refusal{"stages:\n - canary:", "line 2: canary must be a share in percent, not nothing"},
        Refusal{"stages:\n - canary: {min_rows: 5}", "canary must be a share"},
        Refusal{"stages:\n - canary: {share: 5, rows: 5}", "canary has no key 'rows'"},
        Refusal{"stages:\n - shadow: {share: 5}", "shadow has no key 'share'"},
        Refusal{"stages:\n - shadow: 5", "shadow must be a map"},
        Refusal{"stages:\n - shadow: {min_rows: -1}", "min_rows must be a whole number, not '-1'"},
        Refusal{"stages:\n - shadow: {min_rows: 1.5}", "min_rows must be a whole number"},
        Refusal{"stages:\n - shadow: {min_rows: \"5\"}", "min_rows must be a whole number"},
        Refusal{"stages:\n - shadow: {min_time: 5}", "min_time must be a duration such as 90s"},
        Refusal{"stages:\n - bake: 5", "line 2: bake must be a duration"},
        Refusal{"stages:\n - rampup: 5", "a stage has no key 'rampup'; it has shadow, canary"},
        Refusal{"stages: 5,banana", "p.yaml line 1: 'banana' is no stage"},
        Refusal{"stages: '5'\ngates: 1", "line 2: gates must be a list"},
        Refusal{"stages: '5'\ngates: [x]", "a gate must be a map with a metric and a margin"},
        Refusal{"stages: '5'\ngates: [{metric: m}]", "a gate must be"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: x}]", "margin must be a number, not 'x'"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: -1}]", "0 <= margin <= fail_margin"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: nan}]", "0 <= margin"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 2, fail_margin: 1}]", "0 <= margin"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 1, fail_margin: inf}]", "0 <= margin"},
        Refusal{"stages: '5'\ngates: [{metric: M-1, margin: 1}]", "'M-1' is no name of a metric"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 1, stages: [25]}]", "the stage '25'"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 1, stages: [shadow]}]", "'shadow'"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 1, stages: 5}]", "stages must be a list"},
        Refusal{"stages: '5'\ngates: [{metric: m, margin: 1, sclie: x}]", "no key 'sclie'"},
        Refusal{"stages: '5'\nguardrails: crash", "guardrails must be a list"},
        Refusal{"stages: '5'\nguardrails: [[]]", "a guardrail must be"},
        Refusal{"stages: '5'\nguardrails: [{max: 1}]", "a guardrail must be"},
        Refusal{"stages: '5'\nguardrails: [error_rate]", "'error_rate' needs a number as its max"},
        Refusal{"stages: '5'\nguardrails: [{metric: crash, max: 1}]", "'crash' has no max"},
        Refusal{"stages: '5'\nguardrails: [{metric: m, max: 1, min: 2}]", "no key 'min'"},
        Refusal{"stages: '5'\non_fail: stop", "on_fail must be rollback or pause, not 'stop'"},
        Refusal{"stages: '5'\ndeadline: 1", "deadline must be a duration"},
        Refusal{"stages:\n - shadow: {min_time: 2h}\ndeadline: 1h", "longer than the deadline"}
    )
);

TEST(Plan, TakesRulesAndTextsUpToTheirLimits) {
  const auto gates = [](int count, std::size_t slice) {
    std::string text = "stages: '5'\ngates:\n";
    for (int i = 0; i < count; ++i) {
      text += " - {metric: m, margin: 1, slice: '" + std::string(slice, 'x') + "'}\n";
    }
    return parse_plan_yaml(text, "f");
  };
  EXPECT_TRUE(gates(1000, 1));
  EXPECT_THAT(error_of(gates(1001, 1)), HasSubstr("at most 100 stages, 1000 gates"));
  EXPECT_TRUE(gates(1, 1024));
  EXPECT_THAT(error_of(gates(1, 1025)), HasSubstr("more than 1024 bytes"));
}

TEST(Plan, GivesThePathWhereJsonIsWrong) {
  EXPECT_THAT(
      error_of(parse_plan_json(R"({"stages":[{"shadow":{}},{"canary":{"share":5,"rows":1}}]})")),
      HasSubstr("stages[1].canary.rows: canary has no key 'rows'")
  );
}

TEST(Plan, ReadsBackWhatItWritesForRandomPlans) {
  const char* seed_text = std::getenv("WEIR_TEST_SEED");
  const unsigned seed = seed_text != nullptr ? static_cast<unsigned>(std::atoi(seed_text)) : 1;
  SCOPED_TRACE("WEIR_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (int run = 0; run < 500; ++run) {
    Plan plan;
    if (below(2) == 0) {
      plan.stages.push_back(
          {StageKind::shadow, 0, below(3) * 7, static_cast<std::int64_t>(below(1'000'000))}
      );
    }
    std::uint32_t share = 0;
    while (plan.stages.empty() || below(3) > 0) {
      share += 1 + static_cast<std::uint32_t>(below(whole_ppm / 5));
      if (share > whole_ppm) break;
      plan.stages.push_back(
          {StageKind::canary,
           share,
           below(2) * 10,
           static_cast<std::int64_t>(below(2) * 60'000'000)}
      );
    }
    if (plan.stages.empty() || below(2) == 0) {
      plan.stages.push_back(
          {StageKind::bake, whole_ppm, 0, 1 + static_cast<std::int64_t>(below(1ull << 50))}
      );
    }
    for (std::uint64_t i = below(3); i > 0; --i) {
      Gate gate{
          "metric_" + std::to_string(i),
          "x = 'ä\"\\\n'",
          static_cast<double>(random()) / 1e19,
          {},
          {}};
      if (below(2) == 0) gate.fail_margin = gate.margin * 1.7;
      plan.gates.push_back(gate);
    }
    plan.guardrails.push_back({"schema", {}, below(2)});
    plan.on_fail = below(2) == 0 ? OnFail::pause : OnFail::rollback;
    plan.deadline_us = below(2) == 0 ? 0 : 1ll << 50;
    const std::string json = to_json(plan);
    EXPECT_EQ(must(parse_plan_json(json)), plan) << json;
    // YAML reads JSON too.
    EXPECT_EQ(must(parse_plan_yaml(json, "f")), plan) << json;
  }
}

TEST(Quantity, WritesADurationInTheLongestUnitThatDividesIt) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(1500), "1500us");
  EXPECT_EQ(duration_text(90 * us_per_second), "90s");
  EXPECT_EQ(duration_text(600 * us_per_second), "10m");
  EXPECT_EQ(duration_text(7 * us_per_day), "7d");
}

TEST(Quantity, WritesAndReadsSharesExactly) {
  for (std::uint32_t ppm = 0; ppm <= whole_ppm; ppm += 37) {
    const auto again = parse_percent(percent_text(ppm));
    ASSERT_TRUE(again);
    ASSERT_EQ(*again, ppm);
  }
  EXPECT_EQ(percent_text(50'000), "5");
  EXPECT_EQ(percent_text(1), "0.0001");
  EXPECT_EQ(percent_text(125'000), "12.5");
  for (const char* bad :
       {"", "%", ".5", "5.", "5.00001", "1e1", "100.0001", "1000", "+5", " 5", "5%%"}) {
    EXPECT_FALSE(parse_percent(bad)) << bad;
  }
  EXPECT_EQ(*parse_percent("100.0000%"), whole_ppm);
}

}  // namespace
}  // namespace weir::rollout
