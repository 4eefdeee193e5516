#include "http/access_log.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::http {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest()
      : folder(fs::temp_directory_path() / ("weir_access_log_" + std::to_string(::getpid()))) {
    fs::create_directories(folder);
    options.path = (folder / "log").string();
  }
  ~AccessLogTest() override { fs::remove_all(folder); }
  void open() {
    auto opened = AccessLog::open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    log = std::move(*opened);
  }
  static std::string read(const fs::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  static AccessEntry entry(std::string_view path) {
    return {.peer = "127.0.0.1:1", .method = "GET", .path = path, .status = 200};
  }

  fs::path folder;
  AccessLogOptions options;
  std::unique_ptr<AccessLog> log;
};

TEST_F(AccessLogTest, IsJsonWhateverTheClientSends) {
  std::string line;
  append_access_line(
      {.peer = "[::1]:2",
       .method = "other",
       .path = "/a\"b\\\xFF",
       .status = 404,
       .request_bytes = 1,
       .answer_bytes = 2,
       .duration_us = 3,
       .id = "i"},
      0,
      line
  );
  EXPECT_EQ(
      line,
      "{\"time\":\"1970-01-01T00:00:00Z\",\"peer\":\"[::1]:2\",\"method\":\"other\","
      "\"path\":\"/a\\\"b\\\\\xEF\xBF\xBD\",\"status\":404,\"request_bytes\":1,\"answer_bytes\":2,"
      "\"duration_us\":3,\"id\":\"i\"}\n"
  );
}

TEST_F(AccessLogTest, SaysTheStatusOfACallOfGrpcBesideThatOfHttp) {
  std::string line;
  append_access_line({.path = "/s/M", .status = 200, .grpc_status = 8}, 0, line);
  EXPECT_NE(line.find("\"status\":200,\"grpc_status\":8,"), std::string::npos) << line;
}

TEST_F(AccessLogTest, SamplesWhatSucceededAndNoErrors) {
  options.sample = 0.5;
  open();
  int wanted = 0;
  for (int i = 0; i < 10'000; ++i) {
    wanted += log->wants(200) ? 1 : 0;
    ASSERT_TRUE(log->wants(400));
    ASSERT_TRUE(log->wants(503));
  }
  EXPECT_NEAR(wanted, 5000, 500);  // Ten standard deviations.
  options.sample = 1;
  open();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(log->wants(200));
}

TEST_F(AccessLogTest, GoesOnInANewFileAfterARotation) {
  open();
  log->add(entry("/1"));
  while (read(options.path).empty()) {
  }
  fs::rename(options.path, folder / "old");
  ASSERT_TRUE(log->reopen());
  log->add(entry("/2"));
  log.reset();
  EXPECT_THAT(read(folder / "old"), HasSubstr("/1"));
  EXPECT_THAT(read(options.path), HasSubstr("/2"));
}

TEST_F(AccessLogTest, SaysThatAFileCannotBeOpened) {
  options.path = (folder / "missing" / "log").string();
  const auto opened = AccessLog::open(options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(options.path));
}

// A pipe that nobody reads: the queue fills, then lines are dropped and counted, and nobody waits.
TEST_F(AccessLogTest, DropsAndCountsWhenTheFileTakesNothing) {
  ASSERT_EQ(::mkfifo(options.path.c_str(), 0600), 0);
  const int reader = ::open(options.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  options.queue_max_bytes = 10'000;
  open();
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) log->add(entry("/x"));
  EXPECT_GT(log->dropped(), 0U);
  EXPECT_LT(log->dropped(), static_cast<std::uint64_t>(count));
  log.reset();  // Gives up after a second.
  ::close(reader);
}

}  // namespace
}  // namespace weir::http
