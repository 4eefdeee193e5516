#include "ledger/ledger.h"

#include <fstream>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/faulty_files.h"
#include "ledger/recovery.h"
#include "ledger/test_rows.h"

namespace weir::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t never = 3'600 * us_per_second;

Options options_in(const TemporaryFolder& folder) {
  return {
      .folder = folder.path() + "/ledger",
      .sync_interval_us = never,
      .retry_interval_us = 0,
      .min_free_bytes = 0,
      .maintain = false};
}

std::unique_ptr<Ledger> open(const Options& options, FileSystem& files = system_files()) {
  auto ledger = Ledger::open(options, files);
  EXPECT_TRUE(ledger) << ledger.error().message;
  return ledger ? std::move(*ledger) : nullptr;
}

std::vector<std::string> ids(const Ledger& ledger, const std::string& endpoint = "e") {
  return read_ids(ledger.snapshot().segments, endpoint);
}

std::vector<std::string> feedback_ids(const Ledger& ledger) {
  return read_ids(ledger.snapshot().feedback_segments, "e", "feedback");
}

Result<void> sync(Ledger& ledger) {
  std::promise<Result<void>> promise;
  ledger.when_synced([&](Result<void> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

TEST(Ledger, ShowsARecordAsSoonAsWriteReturns) {
  TemporaryFolder folder;
  const auto ledger = open(options_in(folder));
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 2)));
  EXPECT_THAT(ids(*ledger), ElementsAre("a0", "a1"));
  ASSERT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_THAT(ids(*ledger), ElementsAre("a0", "a1", "b0"));
  EXPECT_EQ(ledger->status().rows_written, 3U);
  EXPECT_EQ(ledger->status().segments, 1U);
}

TEST(Ledger, MakesNoFileWithoutRows) {
  TemporaryFolder folder;
  const auto ledger = open(options_in(folder));
  ASSERT_TRUE(ledger->write("e", tensor::Columns(small_specs())));
  EXPECT_EQ(ledger->status().segments, 0U);
}

TEST(Ledger, HandsAKilledProcessRecordsToTheNextOne) {
  TemporaryFolder folder;
  FaultyFiles files;
  {
    const auto ledger = open(options_in(folder), files);
    ASSERT_TRUE(ledger->write("e", numbered_batch("a", 2)));
    files.changes_left = 0;  // Not even a footer is written any more.
  }
  const auto ledger = open(options_in(folder));
  EXPECT_THAT(ids(*ledger), ElementsAre("a0", "a1"));
  EXPECT_EQ(ledger->status().torn_bytes, 0U);
  EXPECT_EQ(ledger->status().backlog_segments, 1U);
}

TEST(Ledger, RecoversFromACutAtEveryByteOfASegment) {
  TemporaryFolder source;
  std::string bytes;
  {
    FaultyFiles files;
    const auto ledger = open(options_in(source), files);
    ASSERT_TRUE(ledger->write("e", tiny_batch("a")));
    ASSERT_TRUE(ledger->write("e", tiny_batch("b")));
    files.changes_left = 0;
    bytes = *system_files().read(ledger->snapshot().segments.front());
  }
  TemporaryFolder folder;
  open(options_in(folder));
  const std::string path = folder.path() + "/ledger/segments/w1-00000001.segment";
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    // What opening the ledger does first, without the threads that it starts then.
    Catalog catalog(folder.path() + "/ledger");
    const auto writers = take_writers(system_files(), catalog.folder());
    ASSERT_TRUE(writers);
    const auto recovered = recover(system_files(), *writers, catalog);
    ASSERT_TRUE(recovered) << size;
    const auto found = read_ids(catalog.snapshot().segments, "e");
    const std::uint64_t left = catalog.totals().sealed_segment_bytes;
    ASSERT_TRUE(found.empty() || found.size() == 1 || size == bytes.size()) << size;
    ASSERT_TRUE(found.empty() || recovered->torn_bytes + left == size) << size;
    ASSERT_EQ(std::filesystem::exists(path), !found.empty()) << size;
  }
}

TEST(Ledger, LosesOnlyWhatWasNotSyncedWhenThePowerGoes) {
  TemporaryFolder folder;
  FaultyFiles files;
  {
    const auto ledger = open(options_in(folder), files);
    ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
    ASSERT_TRUE(sync(*ledger));
    ASSERT_TRUE(ledger->write("e", numbered_batch("b", 1)));
    files.changes_left = 0;
  }
  files.cut_power();
  EXPECT_THAT(ids(*open(options_in(folder))), ElementsAre("a0"));
}

TEST(Ledger, SyncsByItselfWithinTheInterval) {
  TemporaryFolder folder;
  FaultyFiles files;
  Options options = options_in(folder);
  options.sync_interval_us = 1'000;
  const auto ledger = open(options, files);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  while (ledger->status().sync_age_us != 0) std::this_thread::yield();
  EXPECT_GE(files.syncs(), 1U);
}

TEST(Ledger, WritesOnWhileASyncIsSlow) {
  TemporaryFolder folder;
  FaultyFiles files;
  // Before the ledger: its sync thread still uses them when it ends.
  std::promise<void> started;
  std::promise<void> go_on;
  const std::shared_future<void> may_go_on = go_on.get_future().share();
  const auto ledger = open(options_in(folder), files);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  // The callback holds the sync thread, as a slow device would.
  ledger->when_synced([&](const Result<void>&) {
    started.set_value();
    may_go_on.wait();
  });
  started.get_future().wait();
  EXPECT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_THAT(ids(*ledger), ElementsAre("a0", "b0"));
  go_on.set_value();
}

TEST(Ledger, AcknowledgesFeedbackOnlyAfterItIsOnTheDevice) {
  TemporaryFolder folder;
  FaultyFiles files;
  const std::vector<Feedback> label = {{.id = "a", .text = "1"}};
  {
    const auto ledger = open(options_in(folder), files);
    ASSERT_TRUE(ledger->append_feedback("e", label));
    files.changes_left = 0;
  }
  files.cut_power();
  EXPECT_THAT(feedback_ids(*open(options_in(folder))), ElementsAre("a"));
}

TEST(Ledger, SharesOneSyncAmongFeedbackThatWaits) {
  TemporaryFolder folder;
  FaultyFiles files;
  const auto ledger = open(options_in(folder), files);
  std::atomic<int> done = 0;
  const auto send = [&](const std::string& id) {
    ledger
        ->append_feedback("e", std::vector<Feedback>{{.id = id}}, [&](const Result<void>& result) {
          EXPECT_TRUE(result);
          ++done;
        });
  };
  files.close_gate();
  send("first");
  files.wait_for_gate();  // The first one is being written; the others gather behind it.
  for (int i = 0; i < 20; ++i) send(fmt::format("id{}", i));
  files.open_gate();
  while (done < 21) std::this_thread::yield();
  EXPECT_EQ(files.syncs(), 2U);
  EXPECT_EQ(feedback_ids(*ledger).size(), 21U);
  EXPECT_EQ(ledger->status().feedback_written, 21U);
}

TEST(Ledger, RefusesFeedbackBeyondItsQueueAtOnce) {
  TemporaryFolder folder;
  FaultyFiles files;
  Options options = options_in(folder);
  options.max_feedback_waiting = 2;
  const auto ledger = open(options, files);
  const std::vector<Feedback> two = {{.id = "a"}, {.id = "b"}};
  const std::vector<Feedback> three = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
  const auto refused = ledger->append_feedback("e", three);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::exhausted);
  EXPECT_TRUE(ledger->append_feedback("e", two));
  EXPECT_EQ(ledger->status().feedback_errors, 3U);
}

TEST(Ledger, DoesNotAcknowledgeFeedbackThatTheDeviceRefuses) {
  TemporaryFolder folder;
  FaultyFiles files;
  const auto ledger = open(options_in(folder), files);
  const std::vector<Feedback> label = {{.id = "a", .text = "1"}};
  files.does_sync_fail = true;
  EXPECT_FALSE(ledger->append_feedback("e", label));
  files.does_sync_fail = false;
  EXPECT_TRUE(ledger->append_feedback("e", label));
  EXPECT_EQ(ledger->status().feedback_errors, 1U);
}

TEST(Ledger, ResumesByItselfAfterTheDiskWasFull) {
  TemporaryFolder folder;
  FaultyFiles files;
  const auto ledger = open(options_in(folder), files);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  files.bytes_left = 100;  // The next batch is written in part.
  const auto failed = ledger->write("e", numbered_batch("b", 1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::exhausted);
  EXPECT_FALSE(ledger->status().writing);
  EXPECT_THAT(ledger->status().failure, HasSubstr("no space left"));
  EXPECT_GT(ledger->status().failing_since, 0);
  EXPECT_FALSE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_THAT(ids(*ledger), ElementsAre("a0"));
  files.bytes_left = UINT64_MAX;
  EXPECT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_TRUE(ledger->status().writing);
  EXPECT_EQ(ledger->status().write_errors, 2U);
  EXPECT_THAT(ids(*ledger), ElementsAre("a0", "b0"));
  EXPECT_EQ(ledger->status().segments, 2U);
}

TEST(Ledger, FailsAtEveryByteOfADiskAndLosesNoBatchThatItTook) {
  // Whatever the disk has room for, a batch that write took is there after a restart, and one that
  // it refused is not.
  for (std::uint64_t room = 0; room < 900; room += 9) {
    TemporaryFolder folder;
    FaultyFiles files;
    std::vector<std::string> taken;
    {
      const auto ledger = open(options_in(folder), files);
      files.bytes_left = room;
      for (int i = 0; i < 4; ++i) {
        const std::string id = fmt::format("b{}", i);
        if (ledger->write("e", tiny_batch(id))) taken.push_back(id);
        if (i == 2) files.bytes_left = UINT64_MAX;
      }
      files.changes_left = 0;
    }
    ASSERT_EQ(ids(*open(options_in(folder))), taken) << room;
  }
}

TEST(Ledger, TriesANewSegmentOnlyOnceInARetryInterval) {
  TemporaryFolder folder;
  FaultyFiles files;
  Options options = options_in(folder);
  options.retry_interval_us = never;
  const auto ledger = open(options, files);
  files.is_read_only = true;
  EXPECT_FALSE(ledger->write("e", numbered_batch("a", 1)));
  files.is_read_only = false;
  const auto failed = ledger->write("e", numbered_batch("a", 1));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("read-only"));
}

TEST(Ledger, RecordsAgainOnADiskThatWasReadOnly) {
  TemporaryFolder folder;
  FaultyFiles files;
  const auto ledger = open(options_in(folder), files);
  files.is_read_only = true;
  EXPECT_FALSE(ledger->write("e", numbered_batch("a", 1)));
  EXPECT_FALSE(ledger->status().writing);
  files.is_read_only = false;
  EXPECT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_THAT(ids(*ledger), ElementsAre("b0"));
}

TEST(Ledger, TellsItsStateWhileAWriteHangs) {
  TemporaryFolder folder;
  FaultyFiles files;
  const auto ledger = open(options_in(folder), files);
  files.close_gate();
  std::thread recorder([&] { EXPECT_TRUE(ledger->write("e", numbered_batch("a", 1))); });
  files.wait_for_gate();
  EXPECT_EQ(ledger->status().rows_written, 0U);
  EXPECT_THAT(ledger->snapshot().segments, IsEmpty());
  files.open_gate();
  recorder.join();
}

TEST(Ledger, StopsBeforeTheDiskIsFull) {
  TemporaryFolder folder;
  FaultyFiles files;
  Options options = options_in(folder);
  options.min_free_bytes = 1'000;
  const auto ledger = open(options, files);
  files.free = 999;
  const auto failed = ledger->write("e", numbered_batch("a", 1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::exhausted);
  EXPECT_THAT(failed.error().message, HasSubstr("999"));
  const std::vector<Feedback> label = {{.id = "a", .text = "1"}};
  EXPECT_TRUE(ledger->append_feedback("e", label));
  files.free = 1'000;
  EXPECT_TRUE(ledger->write("e", numbered_batch("a", 1)));
}

TEST(Ledger, LeavesASegmentWhoseSyncFailedAndTellsTheNextWhoAsks) {
  TemporaryFolder folder;
  FaultyFiles files;
  Options options = options_in(folder);
  options.sync_interval_us = 1'000;
  const auto ledger = open(options, files);
  files.does_sync_fail = true;
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  while (ledger->status().sync_failure.empty()) std::this_thread::yield();
  files.does_sync_fail = false;
  // The record was lost to a sync in the background; whoever waits for it must not hear "synced".
  EXPECT_FALSE(sync(*ledger));
  ASSERT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_TRUE(sync(*ledger));
  EXPECT_EQ(ledger->status().sync_failure, "");
  EXPECT_EQ(ledger->status().segments, 2U);
}

TEST(Ledger, RollsASegmentThatIsLargeEnough) {
  TemporaryFolder folder;
  Options options = options_in(folder);
  options.segment_max_bytes = 2'000;
  const auto ledger = open(options);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(ledger->write("e", numbered_batch(fmt::format("b{}-", i), 1)));
  }
  EXPECT_GE(ledger->status().segments, 2U);
  EXPECT_EQ(ids(*ledger).size(), 10U);
}

TEST(Ledger, RollsASegmentThatIsOldEnough) {
  TemporaryFolder folder;
  Options options = options_in(folder);
  options.segment_max_age_us = 0;
  const auto ledger = open(options);
  ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  ASSERT_TRUE(sync(*ledger));
  ASSERT_TRUE(sync(*ledger));
  EXPECT_EQ(ledger->status().backlog_segments, 1U);
}

TEST(Ledger, RefusesABatchThatIsTooLargeAndTakesTheNext) {
  TemporaryFolder folder;
  Options options = options_in(folder);
  options.max_block_bytes = 1'000;
  const auto ledger = open(options);
  const auto failed = ledger->write("e", numbered_batch("a", 100));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::invalid_argument);
  EXPECT_TRUE(ledger->status().writing);
  EXPECT_TRUE(ledger->write("e", numbered_batch("b", 1)));
  EXPECT_FALSE(ledger->write("", numbered_batch("c", 1)));
}

TEST(Ledger, LetsSeveralWritersShareAFolder) {
  TemporaryFolder folder;
  auto first = open(options_in(folder));
  auto second = open(options_in(folder));
  ASSERT_TRUE(first->write("e", numbered_batch("a", 1)));
  ASSERT_TRUE(second->write("e", numbered_batch("b", 1)));
  // Each sees what the other wrote, but only its own files are its own.
  EXPECT_THAT(ids(*first), ElementsAre("a0", "b0"));
  EXPECT_THAT(ids(*second), ElementsAre("b0", "a0"));
  EXPECT_EQ(first->status().segments, 1U);
  first.reset();
  second.reset();
  const auto third = open(options_in(folder));
  EXPECT_THAT(ids(*third), ElementsAre("a0", "b0"));
  EXPECT_EQ(third->status().segments, 2U);
}

TEST(Ledger, DoesNotTouchTheSegmentOfAWriterThatLives) {
  TemporaryFolder folder;
  const auto first = open(options_in(folder));
  ASSERT_TRUE(first->write("e", numbered_batch("a", 1)));
  const std::string path = first->snapshot().segments.front();
  std::ofstream(path, std::ios::binary | std::ios::app) << "half a block";
  const auto size = std::filesystem::file_size(path);
  const auto second = open(options_in(folder));
  EXPECT_EQ(std::filesystem::file_size(path), size);
  EXPECT_EQ(second->status().torn_bytes, 0U);
}

TEST(Ledger, WritesFeedbackThatWaitsBeforeItCloses) {
  TemporaryFolder folder;
  std::atomic<int> done = 0;
  {
    const auto ledger = open(options_in(folder));
    for (int i = 0; i < 50; ++i) {
      ledger->append_feedback("e", std::vector<Feedback>{{.id = "a"}}, [&](const Result<void>&) {
        ++done;
      });
    }
  }
  EXPECT_EQ(done, 50);
  EXPECT_EQ(feedback_ids(*open(options_in(folder))).size(), 50U);
}

TEST(Ledger, IsWrittenReadAndAskedByManyThreadsAtOnce) {
  TemporaryFolder folder;
  Options options = options_in(folder);
  options.sync_interval_us = 500;
  options.segment_max_bytes = 20'000;
  const auto ledger = open(options);
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      (void)ids(*ledger);
      (void)ledger->status();
    }
  });
  std::thread client([&] {
    const std::vector<Feedback> label = {{.id = "a", .text = "1"}};
    while (!stop) EXPECT_TRUE(ledger->append_feedback("e", label));
  });
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(ledger->write("e", numbered_batch("a", 5)));
  stop = true;
  reader.join();
  client.join();
  EXPECT_EQ(ids(*ledger).size(), 1'000U);
}

}  // namespace
}  // namespace weir::ledger
