#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/faulty_files.h"
#include "ledger/ledger.h"
#include "ledger/test_rows.h"

// What a ledger makes of a folder that somebody else has touched.

namespace weir::ledger {
namespace {

using ::testing::HasSubstr;

Options options_in(const TemporaryFolder& folder) {
  return {.folder = folder.path() + "/ledger", .min_free_bytes = 0, .maintain = false};
}

std::unique_ptr<Ledger> open(const Options& options) {
  auto ledger = Ledger::open(options);
  EXPECT_TRUE(ledger) << ledger.error().message;
  return ledger ? std::move(*ledger) : nullptr;
}

TEST(LedgerFolder, RefusesAFolderOfAnotherFormat) {
  TemporaryFolder folder;
  open(options_in(folder));
  std::ofstream(folder.path() + "/ledger/FORMAT") << "weir-ledger 2\n";
  const auto refused = Ledger::open(options_in(folder));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("'weir-ledger 2'"));
  EXPECT_THAT(refused.error().message, HasSubstr("--data"));
  std::filesystem::remove(folder.path() + "/ledger/FORMAT");
  EXPECT_TRUE(Ledger::open(options_in(folder)));
}

TEST(LedgerFolder, RefusesSegmentsWithoutAFormat) {
  TemporaryFolder folder;
  {
    const auto ledger = open(options_in(folder));
    ASSERT_TRUE(ledger->write("e", numbered_batch("a", 1)));
  }
  std::filesystem::remove(folder.path() + "/ledger/FORMAT");
  EXPECT_FALSE(Ledger::open(options_in(folder)));
}

TEST(LedgerFolder, SetsAFileAsideThatIsNoSegment) {
  TemporaryFolder folder;
  open(options_in(folder));
  const std::string path = folder.path() + "/ledger/segments/w1-00000077.segment";
  std::ofstream(path) << std::string(500, 'x');
  const auto ledger = open(options_in(folder));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  EXPECT_EQ(ledger->status().segments, 0U);
}

}  // namespace
}  // namespace weir::ledger
