#include "ledger/swap.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/faulty_files.h"
#include "ledger/feedback.h"
#include "ledger/maintenance.h"
#include "ledger/recovery.h"
#include "ledger/segment_log.h"
#include "ledger/test_rows.h"

namespace weir::ledger {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Moment first_day = 20'000 * us_per_day;

// The text between two others, behind the first of them.
std::string between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin) + begin.size();
  return std::string(text.substr(from, text.find(end, from) - from));
}

// Does what the statement of a compaction says, without a database: the ids go into a text file, a
// line each, for each day that it asks for.
Result<std::uint64_t> copy_ids(std::string_view sql) {
  std::vector<std::string> paths;
  std::string list = between(sql, "weir_segments([", "]");
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = list.find('\'', at + 1);
    paths.push_back(list.substr(at + 1, end - at - 1));
    at = std::min(list.size(), end + 3);
  }
  const std::string endpoint = between(sql, "]::VARCHAR[], '", "'");
  const std::string kind = between(sql, "]::VARCHAR[], '" + endpoint + "', '", "'");
  const auto ids = read_ids(paths, endpoint, kind);
  const std::string target = between(sql, ") TO '", "'");
  if (sql.find("PARTITION_BY") != std::string_view::npos) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::string day = fmt::format("{}/weir_day=2024-10-{:02}", target, i % 3 + 1);
      std::filesystem::create_directories(day);
      std::ofstream(day + "/data_0.parquet", std::ios::app) << ids[i] << '\n';
    }
  } else {
    std::ofstream file(target);
    for (const std::string& id : ids) file << id << '\n';
  }
  return ids.size();
}

// The parts of a ledger without its threads.
struct Parts {
  explicit Parts(const TemporaryFolder& folder, FileSystem& file_system = system_files())
      : files(file_system), catalog(folder.path() + "/ledger") {
    EXPECT_TRUE(check_format(files, catalog.folder()));
    auto taken = take_writers(files, catalog.folder());
    EXPECT_TRUE(taken);
    writers = std::move(*taken);
    const auto recovered = recover(files, writers, catalog);
    EXPECT_TRUE(recovered) << recovered.error().message;
    if (recovered) sequence = recovered->last_sequence;
    const auto next = [this] { return FileStem{writers.own, ++sequence}; };
    records.emplace(SegmentLog::Options{.retry_interval_us = 0}, files, catalog, next);
    feedback.emplace(
        SegmentLog::Options{.kind = SegmentKind::feedback, .retry_interval_us = 0},
        files,
        catalog,
        next
    );
    maintenance.emplace(
        Maintenance::Options{},
        Workshop{.files = files, .catalog = catalog, .run_sql = copy_ids, .next_stem = next}
    );
  }

  Result<void> compact() {
    records->seal();
    feedback->seal();
    return maintenance->compact();
  }

  // Every id of the endpoint and every feedback, as a reader of a snapshot finds them.
  std::vector<std::string> ids() const {
    const Snapshot snapshot = catalog.snapshot();
    auto found = read_ids(snapshot.segments, "e");
    for (const std::string& id : read_ids(snapshot.feedback_segments, "e", "feedback")) {
      found.push_back("feedback on " + id);
    }
    const auto files_of = snapshot.endpoints.find("e");
    if (files_of != snapshot.endpoints.end()) {
      read_lines(files_of->second.records, "", found);
      read_lines(files_of->second.feedback, "feedback on ", found);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  static void read_lines(
      const std::vector<std::string>& paths,
      const std::string& prefix,
      std::vector<std::string>& found
  ) {
    for (const std::string& path : paths) {
      std::ifstream file(path);
      if (!file) found.push_back("no " + path);
      for (std::string line; std::getline(file, line);) found.push_back(prefix + line);
    }
  }

  FileSystem& files;
  Writers writers;
  Catalog catalog;
  std::atomic<std::uint64_t> sequence{0};
  std::optional<SegmentLog> records;
  std::optional<SegmentLog> feedback;
  std::optional<Maintenance> maintenance;
};

TEST(Swap, IsReadBackAsItWasWritten) {
  const Swap swap{{"w1", 7}, {{"segments/tmp/w1-00000007/a", "e/records/day=x/b"}}, {"c", "d e"}};
  const std::string text = encode_swap(swap);
  const auto read = decode_swap(text, {"w1", 7});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, swap);
}

TEST(Swap, IsNotReadUnlessItIsWhole) {
  const std::string text = encode_swap({{"w1", 7}, {{"a", "b"}}, {"c"}});
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_FALSE(decode_swap(text.substr(0, size), {"w1", 7})) << size;
  }
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] ^= 1;
    EXPECT_FALSE(decode_swap(damaged, {"w1", 7})) << at;
  }
}

// Lets the disk die at its n-th change during a compaction, and looks at what a restart makes of
// it.
void expect_no_row_lost_or_twice(bool with_power_cut) {
  const std::vector<std::string> expected = {"a0", "a1", "b0", "feedback on a1"};
  for (std::int64_t changes = 0;; ++changes) {
    TemporaryFolder folder;
    FaultyFiles files;
    bool is_done = false;
    {
      Parts parts(folder, files);
      ASSERT_TRUE(parts.records->append("e", numbered_batch("a", 2, first_day)));
      ASSERT_TRUE(parts.records->append("e", numbered_batch("b", 1, first_day + us_per_day)));
      ASSERT_TRUE(parts.records->sync());
      tensor::Columns feedback(feedback_specs());
      append_feedback_row(feedback, {.id = "a1", .text = "1", .time = first_day});
      ASSERT_TRUE(parts.feedback->append("e", feedback));
      ASSERT_TRUE(parts.feedback->sync());
      files.changes_left = changes;
      is_done = parts.compact().has_value() && files.changes_left > 0;
      files.changes_left = 0;
    }
    if (with_power_cut) files.cut_power();
    Parts parts(folder);
    ASSERT_EQ(parts.ids(), expected) << changes;
    ASSERT_TRUE(parts.compact()) << changes;
    ASSERT_EQ(parts.ids(), expected) << changes;
    const auto left = list_files(folder.path() + "/ledger/segments", true);
    for (const ListedFile& file : *left) {
      ADD_FAILURE() << file.name << " is left after " << changes << " changes";
    }
    ASSERT_THAT(*list_folders(folder.path() + "/ledger/segments/tmp"), IsEmpty()) << changes;
    if (is_done) {
      EXPECT_GT(changes, 15);
      return;
    }
  }
}

TEST(Swap, LosesNoRowAndShowsNoneTwiceWhenItIsKilledAtAnyStep) {
  expect_no_row_lost_or_twice(false);
}

TEST(Swap, LosesNoRowAndShowsNoneTwiceWhenThePowerGoesAtAnyStep) {
  expect_no_row_lost_or_twice(true);
}

TEST(Swap, IsEndedLaterWhenTheDiskInterruptedIt) {
  TemporaryFolder folder;
  FaultyFiles files;
  Parts parts(folder, files);
  ASSERT_TRUE(parts.records->append("e", numbered_batch("a", 2, first_day)));
  for (std::int64_t changes = 0; changes < 20; ++changes) {
    files.changes_left = changes;
    (void)parts.compact();
    files.changes_left = INT64_MAX;
    ASSERT_THAT(parts.ids(), SizeIs(2 + changes)) << changes;
    ASSERT_TRUE(parts.compact()) << changes;
    ASSERT_THAT(parts.ids(), SizeIs(2 + changes)) << changes;
    const std::string id = fmt::format("n{}-", changes);
    ASSERT_TRUE(parts.records->append("e", numbered_batch(id, 1, first_day)));
  }
}

TEST(Swap, StopsTheStartWhenItsCommitIsDamaged) {
  TemporaryFolder folder;
  { const Parts parts(folder); }
  std::ofstream(folder.path() + "/ledger/segments/w1-00000001.commit") << "weir-commit 1\nadd";
  Catalog catalog(folder.path() + "/ledger");
  const auto writers = take_writers(system_files(), catalog.folder());
  ASSERT_TRUE(writers);
  const auto refused = recover(system_files(), *writers, catalog);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::corrupt);
}

}  // namespace
}  // namespace weir::ledger
