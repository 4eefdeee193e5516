#include "ledger/refill.h"

#include <gtest/gtest.h>

#include "ledger/test_sql.h"

namespace weir::ledger {
namespace {

constexpr Moment second = us_per_second;

Feedback label_of(const std::string& id, const std::string& text, Moment at) {
  return {.id = id, .text = text, .time = at, .recorded_at = at};
}

std::uint64_t matched(FeedbackIndex& index, const std::string& id) {
  const Feedback feedback = label_of(id, "1", 0);
  return index.apply(std::span(&feedback, 1)).matched;
}

// Records and labels, some in Parquet and some in a segment that nobody has sealed.
void write_all(Ledger& ledger) {
  ASSERT_TRUE(ledger.write("e", numbered_batch("a", 5, 10 * second)));
  ASSERT_TRUE(ledger.write("other", numbered_batch("x", 5, 10 * second)));
  const std::vector<Feedback> first = {
      label_of("a0", "1", 11 * second), label_of("a1", "1", 11 * second)};
  ASSERT_TRUE(ledger.append_feedback("e", std::span(first)));
  ASSERT_TRUE(ledger.compact());
  ASSERT_TRUE(ledger.write("e", numbered_batch("b", 5, 20 * second)));
  const std::vector<Feedback> later = {
      label_of("a1", "0", 21 * second),
      label_of("b0", "0", 21 * second),
      {.id = "b1", .kind = Feedback::Kind::tag, .text = "odd", .recorded_at = 21 * second}};
  ASSERT_TRUE(ledger.append_feedback("e", std::span(later)));
}

TEST(Refill, FindsRecordsAndLabelsOfParquetAndSegments) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  write_all(*ledger);
  FeedbackIndex index({});
  const auto count = refill(index, ledger->snapshot(), "e", test_worker(), {.records = 100});
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 10U);
  ASSERT_EQ(index.accuracy().size(), 1U);
  const ArmAccuracy accuracy = index.accuracy().front();
  EXPECT_EQ(accuracy.version, 1U);
  EXPECT_EQ(accuracy.arm, "primary");
  EXPECT_EQ(accuracy.predictions, 10U);
  EXPECT_EQ(accuracy.labelled, 3U);
  EXPECT_EQ(accuracy.correct, 1U);  // a0; a1 was corrected and b0 was wrong from the start.
  EXPECT_EQ(matched(index, "b4"), 1U);
  EXPECT_EQ(matched(index, "x0"), 0U);
}

TEST(Refill, TakesTheNewestWhenThereAreMore) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  write_all(*ledger);
  FeedbackIndex index({});
  const auto count = refill(index, ledger->snapshot(), "e", test_worker(), {.records = 6});
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 6U);
  EXPECT_EQ(index.accuracy().front().labelled, 1U);
  EXPECT_EQ(matched(index, "a3"), 0U);
  EXPECT_EQ(matched(index, "a4"), 1U);
}

TEST(Refill, OfAnEndpointWithoutRecordsIsNothing) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  write_all(*ledger);
  FeedbackIndex index({});
  const auto count = refill(index, ledger->snapshot(), "none", test_worker(), {.records = 6});
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 0U);
}

TEST(Refill, EndsWhenTheServerDoes) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  write_all(*ledger);
  FeedbackIndex index({});
  const auto stopped =
      refill(index, ledger->snapshot(), "e", test_worker(), {.records = 6, .is_stopping = [] {
                                                               return true;
                                                             }});
  EXPECT_FALSE(stopped);
  EXPECT_EQ(index.size(), 0U);
}

}  // namespace
}  // namespace weir::ledger
