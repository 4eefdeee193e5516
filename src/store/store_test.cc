#include "store/store.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::store {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "weir-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/store.sqlite";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> open() {
    auto store = open_sqlite(path_);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  Error open_error() {
    auto store = open_sqlite(path_);
    EXPECT_FALSE(store);
    return store ? Error{Code::internal, "opened"} : store.error();
  }
  void sql(const std::string& statements) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(handle, statements.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
  }

  std::string folder_;
  std::string path_;
};

std::string json_of(const Result<std::optional<Document>>& document) {
  if (!document) return "error: " + document.error().message;
  return *document ? (**document).json : "none";
}

TEST_F(StoreTest, KeepsDocumentsAcrossAReopen) {
  {
    const auto store = open();
    ASSERT_TRUE(store->put("endpoint", "fraud", R"({"a":1})"));
    ASSERT_TRUE(store->put("endpoint", "fraud", R"({"a":2})"));
    ASSERT_TRUE(store->put("other", "fraud", "[]"));
  }
  const auto store = open();
  const auto document = store->get("endpoint", "fraud");
  ASSERT_TRUE(document && *document);
  EXPECT_EQ((*document)->json, R"({"a":2})");
  EXPECT_EQ((*document)->revision, 2);
  EXPECT_EQ(json_of(store->get("other", "fraud")), "[]");
  EXPECT_EQ(json_of(store->get("endpoint", "other")), "none");
}

TEST_F(StoreTest, ListsACollectionInTheOrderOfItsKeys) {
  const auto store = open();
  for (const char* key : {"b", "a", "\xC3\xA4", "B"}) ASSERT_TRUE(store->put("c", key, key));
  ASSERT_TRUE(store->put("d", "x", "x"));
  ASSERT_TRUE(store->remove("c", "b"));
  const auto documents = store->list("c");
  ASSERT_TRUE(documents);
  std::vector<std::string> keys;
  for (const auto& document : *documents) keys.push_back(document.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"B", "a", "\xC3\xA4"}));
}

TEST_F(StoreTest, KeepsBytesAsTheyAre) {
  const auto store = open();
  const std::string odd("a'\0\n\"", 5);
  ASSERT_TRUE(store->put(odd, odd, odd));
  EXPECT_EQ(json_of(store->get(odd, odd)), odd);
  ASSERT_TRUE(store->put("c", "empty", ""));
  EXPECT_EQ(json_of(store->get("c", "empty")), "");
}

TEST_F(StoreTest, ReadsALogForwardsAfterAPlaceAndItsEnd) {
  const auto store = open();
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store->append("decisions", std::to_string(i * 10)));
  ASSERT_TRUE(store->append("other", "x"));
  const auto middle = store->read("decisions", 2, 2);
  ASSERT_TRUE(middle);
  ASSERT_EQ(middle->size(), 2u);
  EXPECT_EQ((*middle)[0].sequence, 3);
  EXPECT_EQ((*middle)[1].json, "40");
  const auto last = store->last("decisions", 2);
  ASSERT_TRUE(last);
  ASSERT_EQ(last->size(), 2u);
  EXPECT_EQ((*last)[0].json, "40");
  EXPECT_EQ((*last)[1].sequence, 5);
  EXPECT_EQ(store->read("decisions", 0, SIZE_MAX)->size(), 5u);
  EXPECT_TRUE(store->read("unknown", 0, 10)->empty());
  EXPECT_EQ(store->read("other", 0, 10)->front().sequence, 1);
}

TEST_F(StoreTest, AppliesATransactionWholeOrNotAtAll) {
  const auto store = open();
  ASSERT_TRUE(store->put("c", "x", "1"));
  const auto refused = store->commit(Transaction()
                                         .put("c", "y", "new")
                                         .append("log", "entry")
                                         .remove("c", "x")
                                         .put("c", "z", "1", 7));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("'c/z'"));
  EXPECT_EQ(json_of(store->get("c", "x")), "1");
  EXPECT_EQ(json_of(store->get("c", "y")), "none");
  EXPECT_TRUE(store->read("log", 0, 10)->empty());
  ASSERT_TRUE(store->commit(Transaction().put("c", "y", "new").append("log", "a").append("log", "b")
  ));
  EXPECT_EQ(store->read("log", 0, 10)->size(), 2u);
}

TEST_F(StoreTest, RefusesAChangeToADocumentThatChangedMeanwhile) {
  const auto store = open();
  const auto only_new = Transaction().put("c", "x", "1", Transaction::must_not_exist);
  ASSERT_TRUE(store->commit(only_new));
  EXPECT_EQ(store->commit(only_new).error().code, Code::conflict);
  ASSERT_TRUE(store->commit(Transaction().put("c", "x", "2", 1)));
  EXPECT_EQ(store->commit(Transaction().put("c", "x", "3", 1)).error().code, Code::conflict);
  EXPECT_EQ(store->commit(Transaction().remove("c", "x", 1)).error().code, Code::conflict);
  ASSERT_TRUE(store->commit(Transaction().remove("c", "x", 2)));
  EXPECT_EQ(store->commit(Transaction().remove("c", "x", 2)).error().code, Code::conflict);
  EXPECT_TRUE(store->remove("c", "x"));
  EXPECT_TRUE(store->commit(Transaction()));
}

TEST_F(StoreTest, TakesNamesAndTextsUpToItsLimitsAndNoFurther) {
  auto opened = open_sqlite(path_, {.max_json_bytes = 4, .max_name_bytes = 3});
  ASSERT_TRUE(opened);
  Store& store = **opened;
  EXPECT_TRUE(store.put("abc", "def", "1234"));
  EXPECT_TRUE(store.append("abc", "1234"));
  EXPECT_EQ(store.put("abc", "def", "12345").error().code, Code::invalid_argument);
  EXPECT_EQ(store.append("abc", "12345").error().code, Code::invalid_argument);
  EXPECT_EQ(store.put("abc", "defg", "1").error().code, Code::invalid_argument);
  EXPECT_EQ(store.put("abcd", "def", "1").error().code, Code::invalid_argument);
  EXPECT_EQ(store.put("abc", "", "1").error().code, Code::invalid_argument);
  EXPECT_EQ(store.append("", "1").error().code, Code::invalid_argument);
}

TEST_F(StoreTest, LosesNothingWhenThreadsCommitAtOnce) {
  const auto store = open();
  ASSERT_TRUE(store->put("c", "counter", "0"));
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int done = 0; done < 25;) {
        const auto before = store->get("c", "counter");
        if (!before || !*before) {
          ++failures;
          return;
        }
        const std::string next = std::to_string(std::stoi((*before)->json) + 1);
        const auto result = store->commit(
            Transaction().put("c", "counter", next, (*before)->revision).append("log", next)
        );
        if (result) {
          ++done;
        } else if (result.error().code != Code::conflict) {
          ++failures;
          return;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(json_of(store->get("c", "counter")), "100");
  const auto entries = store->read("log", 0, 1000);
  ASSERT_EQ(entries->size(), 100u);
  for (int i = 0; i < 100; ++i) {
    const auto& entry = (*entries)[static_cast<std::size_t>(i)];
    EXPECT_EQ(entry.sequence, i + 1);
    EXPECT_EQ(entry.json, std::to_string(i + 1));
  }
}

// A child commits and reports each commit through a pipe until it is killed; all that it reported
// must be there, and at most one more.
TEST_F(StoreTest, HasEveryReturnedCommitAfterTheProcessIsKilled) {
  std::size_t before = 0;
  for (int round = 0; round < 5; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto store = open_sqlite(path_);
      for (;;) {
        if (!store || !(*store)->append("log", "x") || write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(pipe_ends[1]);
    char byte = 0;
    for (int i = 0; i < 20 + round; ++i) ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    std::size_t reported = static_cast<std::size_t>(20 + round);
    while (read(pipe_ends[0], &byte, 1) == 1) ++reported;
    close(pipe_ends[0]);
    before += reported;
    const std::size_t found = open()->read("log", 0, SIZE_MAX)->size();
    EXPECT_GE(found, before);
    EXPECT_LE(found, before + 1);
    before = found;
  }
}

TEST_F(StoreTest, NoticesAByteThatChangedInsideAText) {
  {
    const auto store = open();
    ASSERT_TRUE(store->put("c", "x", "a text of some length"));
    ASSERT_TRUE(store->append("log", "an entry of some length"));
  }
  sql("UPDATE document SET json = 'a text of some lengtH';"
      "UPDATE entry SET json = 'an entry of some lengtH'");
  const auto store = open();
  const auto document = store->get("c", "x");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Code::corrupt);
  EXPECT_THAT(document.error().message, HasSubstr("'c/x'"));
  EXPECT_THAT(document.error().message, HasSubstr(path_));
  EXPECT_EQ(store->list("c").error().code, Code::corrupt);
  EXPECT_EQ(store->read("log", 0, 10).error().code, Code::corrupt);
  EXPECT_EQ(store->last("log", 10).error().code, Code::corrupt);
  EXPECT_TRUE(store->put("c", "x", "mended"));
  EXPECT_EQ(json_of(store->get("c", "x")), "mended");
}

TEST_F(StoreTest, RefusesAFileThatIsNotSqlite) {
  std::ofstream(path_) << std::string(5000, 'x');
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::corrupt);
  EXPECT_THAT(error.message, HasSubstr(path_));
  EXPECT_THAT(error.message, HasSubstr("--data"));
}

TEST_F(StoreTest, RefusesADamagedHeader) {
  { open(); }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(2000, '\xA5');
  file.close();
  EXPECT_EQ(open_error().code, Code::corrupt);
}

TEST_F(StoreTest, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  sql("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::corrupt);
  EXPECT_THAT(error.message, HasSubstr("not a store of Weir"));
  sql("SELECT * FROM theirs");
}

TEST_F(StoreTest, RefusesANewerFormatAndSaysWhatToRun) {
  { open(); }
  sql("PRAGMA user_version = 2");
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::conflict);
  EXPECT_THAT(error.message, HasSubstr("format 2"));
  EXPECT_THAT(error.message, HasSubstr("newer program"));
  sql("PRAGMA user_version = 1");
  EXPECT_NE(open(), nullptr);
}

TEST_F(StoreTest, NamesTheFileWhenItsFolderIsMissing) {
  path_ = folder_ + "/missing/store.sqlite";
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_THAT(error.message, HasSubstr("missing/store.sqlite"));
}

TEST_F(StoreTest, StartsAfreshBesideTheRemainsOfADeletedStore) {
  {
    const auto store = open();
    ASSERT_TRUE(store->put("c", "x", "1"));
    std::filesystem::copy_file(path_ + "-wal", folder_ + "/kept");
  }
  std::filesystem::remove(path_);
  std::filesystem::rename(folder_ + "/kept", path_ + "-wal");
  std::ofstream(path_ + ".new") << "half of something";
  const auto store = open();
  EXPECT_EQ(json_of(store->get("c", "x")), "none");
}

TEST_F(StoreTest, ReportsAFullDiskAndGoesOnWhenThereIsSpaceAgain) {
  const auto store = open();
  ASSERT_TRUE(store->put("c", "x", "1"));
  // A limit on the size of files stands in for a full disk: SQLite sees the same failed write.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 64 << 10;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const auto refused = store->put("c", "x", std::string(1 << 20, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(path_));
  EXPECT_EQ(json_of(store->get("c", "x")), "1");
  EXPECT_TRUE(store->put("c", "x", "2"));
  EXPECT_EQ(json_of(store->get("c", "x")), "2");
}

}  // namespace
}  // namespace weir::store
