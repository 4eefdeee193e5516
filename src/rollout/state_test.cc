#include "rollout/state.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rollout/document.h"
#include "rollout/split.h"

namespace weir::rollout {
namespace {

using ::testing::HasSubstr;

constexpr Moment t0 = 1'790'000'000'000'000;
const Reason by_hand{"cli", "looks good"};

RolloutState must(const Result<Step>& step) {
  EXPECT_TRUE(step) << step.error().message;
  return step ? step->state : RolloutState{};
}
std::string conflict_of(const Result<Step>& step) {
  if (step) return "no error";
  EXPECT_EQ(step.error().code, Code::conflict);
  return step.error().message;
}

RolloutState started(std::string_view stages = "shadow,5,100") {
  return must(start(
      {.endpoint = "fraud",
       .number = 3,
       .primary_version = "1",
       .candidate_version = "2",
       .seed = 0xFEDCBA9876543210u,
       .plan = *parse_stages(stages)},
      t0,
      by_hand
  ));
}
RolloutState promoted_once(const RolloutState& state, Moment now = t0 + 1) {
  return must(promote(state, now, Reach::next_stage, by_hand));
}

TEST(RolloutState, StartsInTheFirstStage) {
  const RolloutState state = started();
  EXPECT_EQ(state.status, Status::running);
  EXPECT_EQ(state.stage_name(), "shadow");
  EXPECT_TRUE(state.shadows_candidate());
  EXPECT_EQ(state.candidate_share_ppm(), 0u);
  EXPECT_EQ(state.serving_primary(), "1");
  EXPECT_EQ(state.entered_at, t0);
  ASSERT_EQ(state.history.size(), 1u);
  EXPECT_EQ(state.history[0].action, "start");
}

TEST(RolloutState, GoesForwardStageByStageToThePromotion) {
  const RolloutState canary = promoted_once(started(), t0 + 10);
  EXPECT_EQ(canary.stage_name(), "canary 5%");
  EXPECT_EQ(canary.candidate_share_ppm(), 50'000u);
  EXPECT_FALSE(canary.shadows_candidate());
  EXPECT_EQ(canary.entered_at, t0 + 10);
  EXPECT_EQ(canary.started_at, t0);
  EXPECT_FALSE(canary.bake_ends_at());
  const RolloutState bake = promoted_once(canary, t0 + 20);
  EXPECT_EQ(bake.stage_name(), "bake");
  EXPECT_EQ(bake.candidate_share_ppm(), whole_ppm);
  EXPECT_EQ(bake.serving_primary(), "1");
  EXPECT_EQ(bake.bake_ends_at(), t0 + 20 + default_bake_us);
  const RolloutState done = promoted_once(bake, t0 + 30);
  EXPECT_EQ(done.status, Status::promoted);
  EXPECT_EQ(done.serving_primary(), "2");
  EXPECT_EQ(done.stage_name(), "promoted");
  EXPECT_FALSE(done.is_active());
  EXPECT_FALSE(done.bake_ends_at());
  EXPECT_EQ(done.history.size(), 4u);
}

TEST(RolloutState, GoesToTheEndAtOnceWhenAsked) {
  const RolloutState done = must(promote(started(), t0, Reach::end, by_hand));
  EXPECT_EQ(done.status, Status::promoted);
  EXPECT_EQ(done.stage, 2u);
  EXPECT_EQ(done.candidate_share_ppm(), whole_ppm);
}

TEST(RolloutState, PromotesFromTheLastStageOfAPlanWithoutABake) {
  EXPECT_EQ(promoted_once(promoted_once(started("shadow,5"))).status, Status::promoted);
}

TEST(RolloutState, StaysWhereItIsWhilePaused) {
  const RolloutState canary = promoted_once(started());
  const RolloutState paused = must(pause(canary, t0 + 50, by_hand));
  EXPECT_EQ(paused.status, Status::paused);
  EXPECT_EQ(paused.candidate_share_ppm(), 50'000u);
  EXPECT_EQ(paused.entered_at, canary.entered_at);
  EXPECT_TRUE(paused.is_active());
  const RolloutState resumed = must(resume(paused, t0 + 60, by_hand));
  EXPECT_EQ(resumed.status, Status::running);
  EXPECT_EQ(resumed.stage, canary.stage);
}

TEST(RolloutState, DoesNotEndABakeThatIsPaused) {
  const RolloutState bake = started("100");
  EXPECT_TRUE(bake.bake_ends_at());
  EXPECT_FALSE(must(pause(bake, t0, by_hand)).bake_ends_at());
}

TEST(RolloutState, RollsBackFromEveryStageFromAPauseAndAfterThePromotion) {
  RolloutState state = started();
  for (int i = 0; i < 4; ++i) {
    const RolloutState back = must(rollback(state, t0 + 70, by_hand));
    EXPECT_EQ(back.status, Status::rolled_back);
    EXPECT_EQ(back.candidate_share_ppm(), 0u);
    EXPECT_EQ(back.serving_primary(), "1");
    EXPECT_FALSE(back.shadows_candidate());
    EXPECT_EQ(back.entered_at, t0 + 70);
    if (state.is_active()) {
      const RolloutState paused = must(pause(state, t0, by_hand));
      EXPECT_EQ(must(rollback(paused, t0, by_hand)).status, Status::rolled_back);
      state = promoted_once(state);
    }
  }
  EXPECT_EQ(state.status, Status::promoted);
}

TEST(RolloutState, MakesPlaceForAnotherRollout) {
  const RolloutState canary = promoted_once(started());
  for (const auto& state : {canary, must(pause(canary, t0, by_hand))}) {
    const RolloutState gone = must(supersede(state, t0 + 5, by_hand));
    EXPECT_EQ(gone.status, Status::superseded);
    EXPECT_EQ(gone.candidate_share_ppm(), 0u);
    EXPECT_EQ(gone.serving_primary(), "1");
  }
}

TEST(RolloutState, RefusesToRollOutTheVersionThatServes) {
  const auto refused = start(
      {.endpoint = "fraud",
       .primary_version = "1",
       .candidate_version = "1",
       .plan = *parse_stages("5")},
      t0,
      by_hand
  );
  EXPECT_THAT(conflict_of(refused), HasSubstr("version 1 is the primary version of 'fraud'"));
}

TEST(RolloutState, RefusesMovesWhilePaused) {
  const RolloutState paused = must(pause(started(), t0, by_hand));
  for (const Reach reach : {Reach::next_stage, Reach::end}) {
    const std::string message = conflict_of(promote(paused, t0, reach, by_hand));
    EXPECT_THAT(message, HasSubstr("cannot promote rollout 3 of 'fraud': it is paused"));
    EXPECT_THAT(message, HasSubstr("weir resume fraud"));
  }
  EXPECT_THAT(conflict_of(pause(paused, t0, by_hand)), HasSubstr("paused already"));
}

TEST(RolloutState, RefusesToResumeWhatRuns) {
  EXPECT_THAT(conflict_of(resume(started(), t0, by_hand)), HasSubstr("is running"));
}

TEST(RolloutState, RefusesEveryMoveAfterItsEndButARollbackOfAPromotion) {
  const RolloutState running = started();
  const RolloutState ends[] = {
      must(promote(running, t0, Reach::end, by_hand)),
      must(rollback(running, t0, by_hand)),
      must(supersede(running, t0, by_hand)),
  };
  for (const RolloutState& end : ends) {
    EXPECT_THAT(
        conflict_of(promote(end, t0, Reach::next_stage, by_hand)), HasSubstr("weir deploy")
    );
    EXPECT_THAT(conflict_of(promote(end, t0, Reach::end, by_hand)), HasSubstr("cannot promote"));
    EXPECT_THAT(conflict_of(pause(end, t0, by_hand)), HasSubstr("cannot pause"));
    EXPECT_THAT(conflict_of(resume(end, t0, by_hand)), HasSubstr("cannot resume"));
    EXPECT_THAT(conflict_of(supersede(end, t0, by_hand)), HasSubstr("cannot supersede"));
    EXPECT_EQ(rollback(end, t0, by_hand).has_value(), end.status == Status::promoted);
  }
  EXPECT_THAT(
      conflict_of(rollback(ends[1], t0, by_hand)), HasSubstr("it is rolled back since 2026-09-")
  );
}

TEST(RolloutState, WritesARecordOfEachDecisionWithBothPositions) {
  const auto step = promote(started(), t0 + us_per_second, Reach::next_stage, by_hand);
  ASSERT_TRUE(step);
  EXPECT_EQ(
      step->record,
      R"({"at":"2026-09-21T14:13:21Z","endpoint":"fraud","rollout":3,"action":"promote",)"
      R"("primary_version":"1","candidate_version":"2",)"
      R"("from":{"stage":0,"name":"shadow","status":"running","candidate_share_ppm":0},)"
      R"("to":{"stage":1,"name":"canary 5%","status":"running","candidate_share_ppm":50000},)"
      R"("by":"cli","text":"looks good"})"
  );
  const auto first = start(
      {.endpoint = "f\"\n",
       .primary_version = "1",
       .candidate_version = "2",
       .plan = *parse_stages("5")},
      t0,
      {"\xFF", ""}
  );
  const auto node = read_json(first->record);
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_TRUE(node->find("from")->is_null());
  EXPECT_EQ(node->find("endpoint")->text, "f\"\n");
}

TEST(RolloutState, SurvivesARestartInEveryState) {
  RolloutState state = started();
  state.seed = std::numeric_limits<std::uint64_t>::max();
  const auto expect_same = [](const RolloutState& one) {
    const std::string json = to_json(one);
    const auto again = parse_state_json(json);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, one);
    EXPECT_EQ(to_json(*again), json);
  };
  for (int i = 0; i < 4; ++i) {
    expect_same(state);
    expect_same(must(rollback(state, t0 + 1, {"gate error_rate", "x \"y\" \xC3\xA4\n"})));
    if (!state.is_active()) break;
    expect_same(must(pause(state, t0 + 1, by_hand)));
    expect_same(must(supersede(state, t0 + 1, by_hand)));
    state = promoted_once(state, state.entered_at + 1'234'567);
  }
}

TEST(RolloutState, KeepsTheNewestMovesOfItsHistoryOnly) {
  RolloutState state = started();
  for (std::size_t i = 0; i < RolloutState::max_history; ++i) {
    state = must(i % 2 == 0 ? pause(state, t0 + 1, by_hand) : resume(state, t0 + 2, by_hand));
  }
  EXPECT_EQ(state.history.size(), RolloutState::max_history);
  EXPECT_EQ(state.history.front().action, "pause");
  EXPECT_EQ(state.history.back().action, "resume");
}

TEST(RolloutState, RefusesATextThatIsNotAState) {
  const std::string good = to_json(started());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto state = parse_state_json(text);
    return state ? std::string("no error") : state.error().message;
  };
  EXPECT_THAT(with("\"stage\":0", "\"stage\":3"), HasSubstr("at stage 3 of 3"));
  EXPECT_THAT(with("\"status\":\"running\"", "\"status\":\"walking\""), HasSubstr("'walking'"));
  EXPECT_THAT(with("\"number\":3", "\"nummer\":3"), HasSubstr("lacks 'number'"));
  EXPECT_THAT(with("\"number\":3", "\"number\":-3"), HasSubstr("number must be a whole number"));
  EXPECT_THAT(with("\"seed\":\"", "\"seed\":\"x"), HasSubstr("seed must be"));
  EXPECT_THAT(with("\"started_at\":\"2", "\"started_at\":\"x"), HasSubstr("must be a time"));
  EXPECT_THAT(with("{\"shadow\":{}}", "{\"shade\":{}}"), HasSubstr("plan.stages[0].shade"));
  EXPECT_THAT(with("\"history\":[", "\"history\":[1,"), HasSubstr("history[0]"));
  EXPECT_THAT(with("{", ""), HasSubstr("not JSON"));
  EXPECT_FALSE(parse_state_json("[]"));
}

TEST(RolloutState, PutsNoEndToABakeThatWouldOverflow) {
  RolloutState state = started("100");
  state.plan.stages[0].min_time_us = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(state.bake_ends_at(), std::numeric_limits<Moment>::max());
}

}  // namespace
}  // namespace weir::rollout
