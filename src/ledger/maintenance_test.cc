#include <algorithm>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/faulty_files.h"
#include "ledger/ledger.h"
#include "ledger/test_sql.h"

namespace weir::ledger {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr Moment first_day = 20'000 * us_per_day;

// The files below the ledger with this ending, relative.
std::vector<std::string> files_in(const TemporaryFolder& folder, const std::string& ending) {
  std::vector<std::string> found;
  const std::filesystem::path root = folder.path() + "/ledger";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_regular_file() && name.ends_with(ending)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void expect_one_swap_file(const TemporaryFolder& folder, std::size_t commits) {
  EXPECT_THAT(files_in(folder, ".commit"), SizeIs(commits));
}

TEST(Maintenance, MovesRecordsIntoOneParquetFilePerDay) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  ASSERT_TRUE(ledger->write("a/b", numbered_batch("x", 2, first_day)));
  ASSERT_TRUE(ledger->write("a/b", numbered_batch("y", 1, first_day + us_per_day)));
  ASSERT_TRUE(ledger->write("one", numbered_batch("z", 1, first_day)));
  const auto compacted = ledger->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
  EXPECT_THAT(
      files_in(folder, ".parquet"),
      ElementsAre(
          "a%2Fb/records/day=2024-10-04/w1-00000002.parquet",
          "a%2Fb/records/day=2024-10-05/w1-00000002.parquet",
          "one/records/day=2024-10-04/w1-00000002.parquet"
      )
  );
  EXPECT_THAT(files_in(folder, ".segment"), IsEmpty());
  EXPECT_THAT(files_in(folder, ".commit"), IsEmpty());
  EXPECT_THAT(sql_ids(*ledger, "a/b"), ElementsAre("x0", "x1", "y0"));
  EXPECT_THAT(sql_ids(*ledger, "one"), ElementsAre("z0"));
  EXPECT_EQ(ledger->status().compacted_rows, 4U);
  EXPECT_EQ(ledger->status().parquet_files, 3U);
  EXPECT_EQ(ledger->status().segments, 0U);
}

TEST(Maintenance, KeepsEveryValueOnTheWayToParquet) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  ASSERT_TRUE(ledger->write("e", numbered_batch("x", 20, first_day)));
  const std::string query = "SELECT * FROM e ORDER BY id";
  const std::string before = ask(*ledger, query);
  EXPECT_THAT(before, HasSubstr("some text of x7"));
  ASSERT_TRUE(ledger->compact());
  EXPECT_EQ(ask(*ledger, query), before);
}

TEST(Maintenance, TakesAFeatureCalledDayOrLabel) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  const std::vector<tensor::ColumnSpec> features = {
      {"day", tensor::DataType::int64},
      {"weir_day", tensor::DataType::int64},
      {"filename", tensor::DataType::int64},
      {"a \"quoted\" one", tensor::DataType::int64}};
  const std::vector<tensor::ColumnSpec> outputs = {{"label", tensor::DataType::int64}};
  tensor::Columns columns(record_specs(features, outputs));
  for (int i = 0; i < 2; ++i) {
    append_head(columns, {.id = "x", .time = i * us_per_day, .recorded_at = first_day});
    for (std::size_t c = head_width; c < columns.width(); ++c) columns[c].add(std::int64_t{i});
  }
  ASSERT_TRUE(ledger->write("e", columns));
  const auto compacted = ledger->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
  EXPECT_EQ(
      ask(*ledger,
          "SELECT feature_day, feature_weir_day, filename, \"a \"\"quoted\"\" one\", output_label "
          "FROM e ORDER BY ALL"),
      R"([{"feature_day":0,"feature_weir_day":0,"filename":0,)"
      R"("a \"quoted\" one":0,"output_label":0},)"
      R"({"feature_day":1,"feature_weir_day":1,"filename":1,)"
      R"("a \"quoted\" one":1,"output_label":1}])"
  );
}

TEST(Maintenance, StoresTheMostExtremeTimesThatAClientCanSend) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  ASSERT_TRUE(ledger->write(
      "e", small_batch({{.id = "first", .time = INT64_MIN}, {.id = "last", .time = INT64_MAX}})
  ));
  const auto compacted = ledger->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
  EXPECT_THAT(sql_ids(*ledger, "e"), ElementsAre("first", "last"));
}

TEST(Maintenance, MovesAHistoryOfFourHundredDaysAtOnce) {
  TemporaryFolder folder;
  auto ledger = open_with_worker(folder);
  std::vector<SmallRecord> records;
  for (int day = 0; day < 400; ++day) {
    records.push_back(
        {.id = fmt::format("d{}", day), .time = day * us_per_day, .recorded_at = first_day}
    );
  }
  ASSERT_TRUE(ledger->write("e", small_batch(records)));
  const auto compacted = ledger->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
  EXPECT_THAT(files_in(folder, ".parquet"), SizeIs(400));
  EXPECT_EQ(ask(*ledger, "SELECT count(DISTINCT id) AS n FROM e"), R"([{"n":400}])");
  ledger.reset();
  ledger = open_with_worker(folder);
  EXPECT_EQ(ledger->status().parquet_files, 400U);
}

TEST(Maintenance, ShowsAQueryTheFilesOfItsSnapshotUntilItIsDone) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 2, first_day)));
  auto snapshot = std::make_unique<Snapshot>(ledger->snapshot());
  ASSERT_TRUE(ledger->compact());
  EXPECT_THAT(ask_snapshot(*snapshot, "SELECT count(*) AS n FROM e"), R"([{"n":2}])");
  EXPECT_THAT(sql_ids(*ledger, "e"), ElementsAre("a0", "a1"));
  EXPECT_THAT(files_in(folder, ".segment"), SizeIs(1));
  expect_one_swap_file(folder, 1);
  snapshot.reset();
  EXPECT_THAT(files_in(folder, ".segment"), IsEmpty());
  expect_one_swap_file(folder, 0);
}

TEST(Maintenance, JoinsTheSmallFilesOfADayWithoutLosingARow) {
  TemporaryFolder folder;
  Options options = worker_options(folder);
  options.merge_files = 4;
  options.merge_days = 1;
  options.maintain = true;
  options.maintain_interval_us = 1'000;
  const auto ledger = open_with_worker(folder, options);
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    const std::string prefix = fmt::format("f{}-", i);
    ASSERT_TRUE(ledger->write("e", small_batch({{prefix + "a", first_day + i}, {prefix + "b", i}}))
    );
    expected.push_back(prefix + "a");
    expected.push_back(prefix + "b");
    ASSERT_TRUE(ledger->compact());
  }
  while (ledger->status().merges < 2) std::this_thread::yield();
  EXPECT_THAT(sql_ids(*ledger, "e"), expected);
  while (ledger->status().parquet_files > 2) std::this_thread::yield();
  EXPECT_THAT(files_in(folder, ".parquet"), SizeIs(2));
}

TEST(Maintenance, ErasesAPersonFromEveryFileWithTheFeedback) {
  TemporaryFolder folder;
  const auto ledger = open_with_worker(folder);
  const auto person = hash_key("ann");
  ASSERT_TRUE(ledger->write(
      "e",
      small_batch(
          {{.id = "a", .time = first_day, .key_hash = person},
           {.id = "b", .time = first_day, .key_hash = hash_key("ben")}}
      )
  ));
  ASSERT_TRUE(ledger->compact());
  ASSERT_TRUE(ledger->write(
      "e",
      small_batch(
          {{.id = "c", .time = first_day + us_per_day, .key_hash = person},
           {.id = "d", .time = first_day, .key_hash = hash_key("dan")}}
      )
  ));
  ASSERT_TRUE(ledger->write("f", small_batch({{.id = "g", .time = first_day, .key_hash = person}}))
  );
  const std::vector<Feedback> labels = {
      {.id = "a", .text = "1"}, {.id = "b", .text = "1"}, {.id = "c", .text = "1"}};
  ASSERT_TRUE(ledger->append_feedback("e", labels));

  const auto none = ledger->erase("e", hash_key("nobody"));
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_EQ(*none, 0U);
  const auto erased = ledger->erase("e", person);
  ASSERT_TRUE(erased) << erased.error().message;
  EXPECT_EQ(*erased, 2U);
  EXPECT_THAT(sql_ids(*ledger, "e"), ElementsAre("b", "d"));
  EXPECT_EQ(ask(*ledger, "SELECT id FROM e_feedback"), R"([{"id":"b"}])");
  EXPECT_THAT(sql_ids(*ledger, "f"), ElementsAre("g"));
  EXPECT_EQ(*ledger->erase(std::nullopt, person), 1U);
  EXPECT_THAT(files_in(folder, ".parquet"), Not(Contains(StartsWith("f/"))));
  EXPECT_EQ(ledger->status().erased_rows, 3U);
  EXPECT_THAT(files_in(folder, ".segment"), IsEmpty());
}

TEST(Maintenance, DeletesWhatIsOlderThanTheRetention) {
  TemporaryFolder folder;
  Options options = worker_options(folder);
  {
    const auto ledger = open_with_worker(folder, options);
    const Moment now = now_us();
    ASSERT_TRUE(ledger->write(
        "e", small_batch({{"old", first_day, 1, "primary", "1", 0, now - us_per_day}})
    ));
    ASSERT_TRUE(ledger->compact());
    ASSERT_TRUE(ledger->write("e", small_batch({{"new", first_day, 1, "primary", "1", 0, now}})));
    ASSERT_TRUE(ledger->compact());
    ASSERT_THAT(files_in(folder, ".parquet"), SizeIs(2));
  }
  options.retention_us = us_per_day / 2;
  options.maintain = true;
  options.maintain_interval_us = 1'000;
  const auto ledger = open_with_worker(folder, options);
  while (ledger->status().expired_files == 0) std::this_thread::yield();
  EXPECT_THAT(sql_ids(*ledger, "e"), ElementsAre("new"));
  EXPECT_THAT(files_in(folder, ".parquet"), SizeIs(1));
}

TEST(Maintenance, DeletesTheOldestWhenThereIsTooMuchEvenWithoutAWorker) {
  TemporaryFolder folder;
  Options options = worker_options(folder);
  options.segment_max_bytes = 1;
  options.retention_max_bytes = 3'000;
  options.maintain = true;
  options.maintain_interval_us = 1'000;
  auto opened = Ledger::open(options);
  ASSERT_TRUE(opened);
  const auto& ledger = *opened;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(ledger->write("e", numbered_batch(fmt::format("s{}-", i), 1, first_day + i)));
  }
  while (ledger->status().segment_bytes > 3'000) std::this_thread::yield();
  const auto left = read_ids(ledger->snapshot().segments, "e");
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.back(), "s9-0");
  EXPECT_EQ(ledger->status().expired_files, 10 - left.size());
}

TEST(Maintenance, KeepsSegmentsWhenThereIsNoWorker) {
  TemporaryFolder folder;
  auto ledger = Ledger::open(worker_options(folder));
  ASSERT_TRUE(ledger);
  ASSERT_TRUE((*ledger)->write("e", numbered_batch("a", 1, first_day)));
  const auto compacted = (*ledger)->compact();
  ASSERT_FALSE(compacted);
  EXPECT_EQ(compacted.error().code, Code::unavailable);
  EXPECT_THAT((*ledger)->status().compaction_failure, HasSubstr("worker"));
  EXPECT_THAT(read_ids((*ledger)->snapshot().segments, "e"), ElementsAre("a0"));
}

TEST(Maintenance, GoesOnWhenABlockWentBadAndCountsItsRows) {
  TemporaryFolder folder;
  Options options = worker_options(folder);
  options.segment_max_bytes = 1;  // Closed with a footer at once, so nobody looks again at start.
  const auto ledger = open_with_worker(folder, options);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 3, first_day)));
  ASSERT_TRUE(ledger->write("e", numbered_batch("b", 1, first_day)));
  const std::string path = ledger->snapshot().segments.front();
  std::string bytes = *system_files().read(path);
  bytes[bytes.find("some text of a1")] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  const auto compacted = ledger->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
  EXPECT_THAT(sql_ids(*ledger, "e"), ElementsAre("b0"));
  EXPECT_EQ(ledger->status().lost_rows, 3U);
}

}  // namespace
}  // namespace weir::ledger
