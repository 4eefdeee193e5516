#include "ledger/feedback_index.h"

#include <thread>
#include <utility>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace weir::ledger {
namespace {

FeedbackIndex small_index(std::size_t records = 1'024, std::size_t labels = 64) {
  return FeedbackIndex({.recent_records = records, .max_arms = 8, .recent_labels = labels});
}

void insert(FeedbackIndex& index, const IndexedPrediction& prediction) {
  index.insert(std::span(&prediction, 1));
}

FeedbackCounts label(
    FeedbackIndex& index, const std::string& id, const std::string& text, Moment seconds = 10
) {
  const Feedback feedback{.id = id, .text = text, .time = seconds * us_per_second};
  return index.apply(std::span(&feedback, 1));
}

ArmAccuracy arm(const FeedbackIndex& index, std::string_view name) {
  for (const ArmAccuracy& accuracy : index.accuracy()) {
    if (accuracy.arm == name) return accuracy;
  }
  return {};
}

TEST(FeedbackIndex, MatchesALabelWithTheAnswerAndTheShadowsOfItsRequest) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .recorded_at = 5, .version = 1, .arm = "primary", .predicted = "1"});
  insert(index, {.id = "a", .recorded_at = 5, .version = 2, .arm = "shadow", .predicted = "0"});
  const FeedbackCounts counts = label(index, "a", "1");
  EXPECT_EQ(counts.accepted, 1U);
  EXPECT_EQ(counts.matched, 1U);
  EXPECT_EQ(counts.waiting, 0U);
  EXPECT_EQ(arm(index, "primary").labelled, 1U);
  EXPECT_EQ(arm(index, "primary").correct, 1U);
  EXPECT_EQ(arm(index, "shadow").labelled, 1U);
  EXPECT_EQ(arm(index, "shadow").correct, 0U);
}

TEST(FeedbackIndex, TellsRowsOfARequestApart) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .row = 0, .version = 1, .arm = "primary", .predicted = "1"});
  insert(index, {.id = "a", .row = 1, .version = 1, .arm = "primary", .predicted = "0"});
  const Feedback feedback{.id = "a", .row = 1, .text = "0"};
  EXPECT_EQ(index.apply(std::span(&feedback, 1)).matched, 1U);
  EXPECT_EQ(arm(index, "primary").labelled, 1U);
  EXPECT_EQ(arm(index, "primary").correct, 1U);
  EXPECT_EQ(index.repeated_ids(), 0U);
}

TEST(FeedbackIndex, CountsALabelWithoutAPredictionAsWaiting) {
  FeedbackIndex index = small_index();
  const FeedbackCounts counts = label(index, "nobody", "1");
  EXPECT_EQ(counts.accepted, 1U);
  EXPECT_EQ(counts.waiting, 1U);
  EXPECT_EQ(counts.matched, 0U);
}

TEST(FeedbackIndex, MatchesALabelThatOvertookItsRecord) {
  FeedbackIndex index = small_index();
  label(index, "a", "1");
  insert(index, {.id = "a", .recorded_at = 5, .version = 1, .arm = "primary", .predicted = "1"});
  EXPECT_EQ(arm(index, "primary").correct, 1U);
  EXPECT_EQ(index.totals().waiting, 0U);
  EXPECT_EQ(index.totals().matched, 1U);
}

TEST(FeedbackIndex, KeepsABoundedNumberOfLabelsThatWait) {
  FeedbackIndex index = small_index(1'024, 2);
  for (const char* id : {"a", "b", "c"}) label(index, id, "1");
  for (const char* id : {"a", "b", "c"}) {
    insert(index, {.id = id, .version = 1, .arm = "primary", .predicted = "1"});
  }
  EXPECT_EQ(arm(index, "primary").labelled, 2U);
  EXPECT_EQ(index.totals().waiting, 1U);
}

TEST(FeedbackIndex, GivesTheLabelToAShadowThatComesLate) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .recorded_at = 5, .version = 1, .arm = "primary", .predicted = "1"});
  label(index, "a", "0");
  insert(index, {.id = "a", .recorded_at = 5, .version = 2, .arm = "shadow", .predicted = "0"});
  EXPECT_EQ(arm(index, "shadow").correct, 1U);
}

TEST(FeedbackIndex, CountsTheSameLabelAgainAsADuplicateAndOnce) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "1"});
  label(index, "a", "1");
  const FeedbackCounts counts = label(index, "a", "1.0");
  EXPECT_EQ(counts.duplicate, 1U);
  EXPECT_EQ(counts.matched, 1U);
  EXPECT_EQ(arm(index, "primary").labelled, 1U);
}

TEST(FeedbackIndex, LetsALaterLabelCorrectAnEarlierOneButNotTheOtherWayRound) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "1"});
  label(index, "a", "0", 10);
  EXPECT_EQ(arm(index, "primary").correct, 0U);
  EXPECT_EQ(label(index, "a", "1", 20).corrected, 1U);
  EXPECT_EQ(arm(index, "primary").correct, 1U);
  EXPECT_EQ(arm(index, "primary").labelled, 1U);
  EXPECT_EQ(label(index, "a", "0", 15).corrected, 0U);
  EXPECT_EQ(arm(index, "primary").correct, 1U);
}

TEST(FeedbackIndex, JoinsTheNewestRequestOfARepeatedIdAndCountsTheRepeat) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .recorded_at = 5, .version = 1, .arm = "primary", .predicted = "1"});
  insert(index, {.id = "a", .recorded_at = 9, .version = 2, .arm = "candidate", .predicted = "1"});
  insert(index, {.id = "a", .recorded_at = 5, .version = 3, .arm = "shadow", .predicted = "1"});
  EXPECT_EQ(index.repeated_ids(), 1U);
  label(index, "a", "1");
  EXPECT_EQ(arm(index, "candidate").labelled, 1U);
  EXPECT_EQ(arm(index, "primary").labelled, 0U);
  EXPECT_EQ(arm(index, "shadow").labelled, 0U);
}

TEST(FeedbackIndex, SumsTheErrorsOfARegressionAndTakesACorrectedOneBack) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "2.5"});
  label(index, "a", "100", 1);
  label(index, "a", "4.5", 2);
  const ArmAccuracy accuracy = arm(index, "primary");
  EXPECT_EQ(accuracy.numeric, 1U);
  EXPECT_DOUBLE_EQ(accuracy.sum_absolute_error, 2.0);
  EXPECT_DOUBLE_EQ(accuracy.sum_squared_error, 4.0);
}

TEST(FeedbackIndex, ComparesTextsAsTextsAndNeverWithNumbers) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "up"});
  insert(index, {.id = "b", .version = 1, .arm = "primary", .predicted = "up"});
  label(index, "a", "up");
  label(index, "b", "1");
  EXPECT_EQ(arm(index, "primary").labelled, 2U);
  EXPECT_EQ(arm(index, "primary").correct, 1U);
  EXPECT_EQ(arm(index, "primary").numeric, 0U);
}

TEST(FeedbackIndex, MatchesEventsAndTagsWithoutCountingThemAsLabels) {
  FeedbackIndex index = small_index();
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "1"});
  const Feedback feedback{.id = "a", .kind = Feedback::Kind::event, .text = "click"};
  EXPECT_EQ(index.apply(std::span(&feedback, 1)).matched, 1U);
  EXPECT_EQ(arm(index, "primary").labelled, 0U);
}

TEST(FeedbackIndex, ForgetsTheOldestAndNothingElse) {
  constexpr int records = 1'000;  // Not a power of two, so the table is smaller than the ring.
  FeedbackIndex index = small_index(records);
  for (int i = 0; i < records * 5 / 2; ++i) {
    const std::string id = fmt::format("id{}", i);
    insert(index, {.id = id, .recorded_at = i, .version = 1, .arm = "primary", .predicted = "1"});
  }
  EXPECT_EQ(index.size(), static_cast<std::size_t>(records));
  for (int i = 0; i < records * 5 / 2; ++i) {
    const bool is_kept = i >= records * 3 / 2;
    EXPECT_EQ(label(index, fmt::format("id{}", i), "1").matched, is_kept ? 1U : 0U) << i;
  }
}

TEST(FeedbackIndex, TakesAtMostFortyBytesARecord) {
  constexpr std::size_t records = 131'072;
  FeedbackIndex index({});
  for (std::size_t i = 0; i < records; ++i) {
    insert(index, {.id = fmt::format("id{}", i), .version = 1, .arm = "primary", .predicted = "1"});
  }
  EXPECT_EQ(index.size(), records);
  EXPECT_LE(index.memory_bytes(), records * 40);
}

TEST(FeedbackIndex, LeavesOutArmsBeyondItsLimit) {
  FeedbackIndex index({.recent_records = 16, .max_arms = 1});
  insert(index, {.id = "a", .version = 1, .arm = "primary", .predicted = "1"});
  insert(index, {.id = "b", .version = 2, .arm = "primary", .predicted = "1"});
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(index.accuracy().size(), 1U);
}

TEST(FeedbackIndex, TellsManyRowsOfShortIdsApart) {
  constexpr std::uint32_t rows = 1'000;
  FeedbackIndex index({});
  for (int i = 0; i < 100; ++i) {
    const std::string id = fmt::format("r{}", i);
    for (std::uint32_t row = 0; row < rows; row += 2) {
      insert(index, {.id = id, .row = row, .recorded_at = i, .version = 1, .arm = "primary"});
    }
  }
  EXPECT_EQ(index.repeated_ids(), 0U);
  for (int i = 0; i < 100; ++i) {
    for (std::uint32_t row = 0; row < rows; ++row) {
      const Feedback feedback{.id = fmt::format("r{}", i), .row = row, .text = "1"};
      const FeedbackCounts counts = index.apply(std::span(&feedback, 1));
      ASSERT_EQ(counts.matched, row % 2 == 0 ? 1U : 0U) << i << " " << row;
      ASSERT_EQ(counts.duplicate, 0U) << i << " " << row;
    }
  }
}

TEST(FeedbackIndex, TakesUpWhatWasThereBefore) {
  FeedbackIndex older = small_index();
  insert(older, {.id = "old", .recorded_at = 1, .version = 1, .arm = "primary", .predicted = "1"});
  insert(older, {.id = "both", .recorded_at = 2, .version = 2, .arm = "shadow", .predicted = "0"});
  label(older, "old", "1", 10);
  FeedbackIndex index = small_index();
  insert(
      index, {.id = "new", .recorded_at = 3, .version = 2, .arm = "candidate", .predicted = "1"}
  );
  insert(index, {.id = "more", .recorded_at = 4, .version = 1, .arm = "primary", .predicted = "1"});
  label(index, "new", "1");
  label(index, "more", "0");
  label(index, "both", "0");     // Waits until its prediction is known.
  label(index, "old", "0", 20);  // A correction.
  label(index, "nobody", "1");
  EXPECT_EQ(index.totals().waiting, 3U);
  index.put_before(std::move(older));
  EXPECT_EQ(index.size(), 4U);
  EXPECT_EQ(index.totals().accepted, 5U);
  EXPECT_EQ(index.totals().matched, 4U);
  EXPECT_EQ(index.totals().waiting, 1U);
  EXPECT_EQ(index.totals().corrected, 1U);
  EXPECT_EQ(arm(index, "primary").predictions, 2U);
  EXPECT_EQ(arm(index, "primary").labelled, 2U);
  EXPECT_EQ(arm(index, "primary").correct, 0U);
  EXPECT_EQ(arm(index, "candidate").correct, 1U);
  EXPECT_EQ(arm(index, "shadow").correct, 1U);
  // Both are found again, and who still waits does so.
  EXPECT_EQ(label(index, "old", "0", 20).duplicate, 1U);
  EXPECT_EQ(label(index, "new", "1").duplicate, 1U);
  insert(index, {.id = "nobody", .version = 1, .arm = "primary", .predicted = "1"});
  EXPECT_EQ(index.totals().waiting, 0U);
  EXPECT_EQ(index.repeated_ids(), 0U);
}

TEST(FeedbackIndex, ForgetsWhatWasBeforeFirst) {
  FeedbackIndex older = small_index(8);
  FeedbackIndex index = small_index(8);
  for (int i = 0; i < 20; ++i) {
    FeedbackIndex& one = i < 13 ? older : index;
    const std::string id = fmt::format("id{}", i);
    insert(one, {.id = id, .recorded_at = i, .version = 1, .arm = "primary", .predicted = "1"});
  }
  index.put_before(std::move(older));
  insert(index, {.id = "id20", .recorded_at = 20, .version = 1, .arm = "primary"});
  for (int i = 0; i <= 20; ++i) {
    EXPECT_EQ(label(index, fmt::format("id{}", i), "1").matched, i > 12 ? 1U : 0U) << i;
  }
}

TEST(FeedbackIndex, TakesUpWhatWasBeforeARingThatIsFull) {
  FeedbackIndex older = small_index(8);
  FeedbackIndex index = small_index(8);
  insert(older, {.id = "old", .version = 1, .arm = "primary", .predicted = "1"});
  for (int i = 0; i < 11; ++i) {
    const std::string id = fmt::format("id{}", i);
    insert(index, {.id = id, .recorded_at = i, .version = 1, .arm = "primary", .predicted = "1"});
  }
  index.put_before(std::move(older));
  insert(index, {.id = "id11", .recorded_at = 11, .version = 1, .arm = "primary"});
  EXPECT_EQ(label(index, "old", "1").matched, 0U);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(label(index, fmt::format("id{}", i), "1").matched, i > 3 ? 1U : 0U) << i;
  }
}

TEST(FeedbackIndex, IsUsedByARecorderAndSeveralClientsAtOnce) {
  FeedbackIndex index = small_index(512);
  std::thread recorder([&] {
    for (int i = 0; i < 2'000; ++i) {
      insert(
          index, {.id = fmt::format("id{}", i), .version = 1, .arm = "primary", .predicted = "1"}
      );
    }
  });
  for (int i = 0; i < 2'000; ++i) label(index, fmt::format("id{}", i), "1");
  recorder.join();
  const FeedbackCounts totals = index.totals();
  EXPECT_EQ(totals.accepted, 2'000U);
  EXPECT_EQ(totals.accepted, totals.matched + totals.waiting);
}

}  // namespace
}  // namespace weir::ledger
