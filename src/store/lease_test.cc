#include "store/lease.h"

#include <filesystem>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::store {
namespace {

using ::testing::HasSubstr;

class LeaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "weir-lease-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A process that holds the lease until it is killed.
  pid_t start_holder() {
    int pipe_ends[2];
    EXPECT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto lease = acquire_lease(folder_, "weir serve\n--listen :1");
      const char byte = lease ? 'y' : 'n';
      if (write(pipe_ends[1], &byte, 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte = 0;
    EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return child;
  }

  std::string folder_;
};

TEST_F(LeaseTest, IsHeldByOneAtATimeAndFreedByItsDestructor) {
  {
    const auto lease = acquire_lease(folder_, "first");
    ASSERT_TRUE(lease);
    EXPECT_EQ(acquire_lease(folder_, "second").error().code, Code::conflict);
  }
  EXPECT_TRUE(acquire_lease(folder_, "third"));
}

TEST_F(LeaseTest, NamesFolderProcessAndTwoWaysOutWhenAnotherHoldsIt) {
  const pid_t holder = start_holder();
  const auto refused = acquire_lease(folder_, "me");
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("'" + folder_ + "'"));
  EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("process {}", holder)));
  EXPECT_THAT(refused.error().message, HasSubstr("weir serve --listen :1"));
  EXPECT_THAT(refused.error().message, HasSubstr("stop that process"));
  EXPECT_THAT(refused.error().message, HasSubstr("--data"));
}

TEST_F(LeaseTest, IsFreeAtOnceWhenItsHolderIsKilled) {
  for (int i = 0; i < 10; ++i) {
    const pid_t holder = start_holder();
    kill(holder, SIGKILL);
    waitpid(holder, nullptr, 0);
    const auto lease = acquire_lease(folder_, "next");
    EXPECT_TRUE(lease) << lease.error().message;
  }
}

TEST_F(LeaseTest, MovesWithItsOwner) {
  auto first = acquire_lease(folder_, "first");
  ASSERT_TRUE(first);
  auto other = acquire_lease(folder_ + "/other", "other");
  ASSERT_TRUE(other);
  Lease moved = std::move(*first);
  EXPECT_FALSE(acquire_lease(folder_, "second"));
  moved = std::move(*other);
  EXPECT_TRUE(acquire_lease(folder_, "second"));
  EXPECT_FALSE(acquire_lease(folder_ + "/other", "second"));
}

TEST_F(LeaseTest, MakesTheFolderWhenItIsMissing) {
  EXPECT_TRUE(acquire_lease(folder_ + "/a/b", "me"));
  EXPECT_TRUE(std::filesystem::is_directory(folder_ + "/a/b"));
}

TEST_F(LeaseTest, SaysWhatIsWrongWithAFolderThatIsAFile) {
  { const auto lease = acquire_lease(folder_, "me"); }
  const auto refused = acquire_lease(folder_ + "/control.lock", "me");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(folder_ + "/control.lock"));
}

}  // namespace
}  // namespace weir::store
