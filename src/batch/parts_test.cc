#include "batch/parts.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace weir::batch {
namespace {

namespace fs = std::filesystem;
using table::FileFormat;

class PartsOfAnOutput : public testing::Test {
 protected:
  PartsOfAnOutput() {
    std::string pattern = (fs::temp_directory_path() / "weir_batch_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    out_ = folder_ + "/out.ndjson";
  }
  ~PartsOfAnOutput() override { fs::remove_all(folder_); }

  static void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::unique_ptr<Parts> open(std::string_view plan = "plan") {
    auto parts = Parts::open(out_, plan, Parts::Old::go_on);
    EXPECT_TRUE(parts) << parts.error().message;
    return parts ? std::move(*parts) : nullptr;
  }
  void finish(Parts& parts, std::uint64_t number, std::string_view rejected = "") {
    write(parts.temporary_path(number), "part " + std::to_string(number) + "\n");
    const auto done = parts.finish(number, {10, rejected.empty() ? 0U : 1U}, rejected);
    ASSERT_TRUE(done) << done.error().message;
  }

  std::string folder_;
  std::string out_;
};

TEST_F(PartsOfAnOutput, AreFoundAgainAndJoinedInOrder) {
  {
    const auto parts = open();
    finish(*parts, 2, "{\"row\":25}\n");
    finish(*parts, 0);
    EXPECT_EQ(parts->first_missing(), 1U);
    write(parts->temporary_path(1), "half");
  }
  // A note that was cut off in the middle.
  write(out_ + ".parts/000009.part", "x");
  std::ofstream(out_ + ".parts/progress.ndjson", std::ios::app) << "{\"part\":9,\"rows\":1";
  const auto parts = open();
  EXPECT_TRUE(parts->is_done(0) && parts->is_done(2));
  EXPECT_FALSE(parts->is_done(1) || parts->is_done(9));
  EXPECT_EQ(parts->total().rows, 20U);
  EXPECT_EQ(parts->total().rejected, 1U);
  finish(*parts, 1, "{\"row\":15}\n");
  ASSERT_TRUE(parts->join(FileFormat::ndjson, "{\"line\":3}\n"));
  EXPECT_EQ(read(out_), "part 0\npart 1\npart 2\n");
  EXPECT_EQ(read(rejected_file(out_)), "{\"row\":15}\n{\"row\":25}\n{\"line\":3}\n");
  EXPECT_FALSE(fs::exists(out_ + ".parts"));
}

TEST_F(PartsOfAnOutput, OfAnotherSizeThanNotedAreDoneAgain) {
  finish(*open(), 0);
  write(out_ + ".parts/000000.part", "short");
  EXPECT_EQ(open()->count(), 0U);
}

TEST_F(PartsOfAnOutput, OfAnotherPlanAreRefusedOrThrownAway) {
  finish(*open(), 0);
  const auto other = Parts::open(out_, "other plan", Parts::Old::go_on);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::conflict);
  const auto again = Parts::open(out_, "other plan", Parts::Old::throw_away);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->count(), 0U);
}

TEST_F(PartsOfAnOutput, LeaveNoSideFileOfAnEarlierTime) {
  write(rejected_file(out_), "old");
  const auto parts = open();
  finish(*parts, 0);
  ASSERT_TRUE(parts->join(FileFormat::ndjson, ""));
  EXPECT_FALSE(fs::exists(rejected_file(out_)));
}

}  // namespace
}  // namespace weir::batch
