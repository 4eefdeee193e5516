#include "base/file.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/id.h"

namespace weir {
namespace {

class CheckRegularFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto id = make_uuid7(now_us()).text();
    folder_ = std::filesystem::temp_directory_path() / std::string(id.data(), id.size());
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(system_files().write_whole(path("ten"), "0123456789"));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(CheckRegularFile, TakesAsManyBytesAsTheLimitAllowsAndNamesTheLimit) {
  EXPECT_TRUE(check_regular_file(path("ten"), 10, "max_bytes"));
  const auto refused = check_regular_file(path("ten"), 9, "max_bytes");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_NE(refused.error().message.find("has 10 bytes; max_bytes allows 9"), std::string::npos);
}

TEST_F(CheckRegularFile, RefusesWhatIsMissingAFolderOrAPipe) {
  EXPECT_EQ(check_regular_file(path("nothing"), 10, "max_bytes").error().code, Code::not_found);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string& other : {folder_.string(), path("pipe")}) {
    const auto refused = check_regular_file(other, 10, "max_bytes");
    ASSERT_FALSE(refused) << other;
    EXPECT_NE(refused.error().message.find("is not a file"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir
