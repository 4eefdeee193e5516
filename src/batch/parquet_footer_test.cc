#include "batch/parquet_footer.h"

#include <gtest/gtest.h>

namespace weir::batch {
namespace {

// A footer by hand, in Thrift's compact protocol: version 1, a schema of one element, 3 rows, one
// row group whose chunk lies at 4 with its page at 70 and no dictionary, and the writer's name.
std::string footer(char page = static_cast<char>(70 * 2)) {
  std::string bytes;
  bytes += "\x15\x02";           // 1: i32 1
  bytes += "\x19\x1C\x48\x01s";  // 2: list of one structure, 4: binary "s"
  bytes += '\0';
  bytes += "\x16\x06";  // 3: i64 3
  bytes += "\x19\x1C";  // 4: list of one structure
  bytes += "\x19\x1C";  //   1: list of one column chunk
  bytes += "\x26\x08";  //     2: i64 4
  bytes += "\x1C";      //     3: its metadata
  bytes += "\x96";      //       9: i64, the page
  bytes += page;
  if (page < 0) bytes += '\x01';  //          that takes two bytes
  bytes += '\x26';                //       11: i64 0, the dictionary
  bytes += '\0';
  bytes += '\0';
  bytes += '\0';
  bytes += "\x26\x06";  //   3: i64 3 rows
  bytes += '\0';
  bytes += "\x28\x04weir";  // 6: binary "weir"
  bytes += '\0';
  return bytes;
}

TEST(ParquetFooter, IsWrittenAsItWasRead) {
  const auto read = read_parquet_footer(footer(), 0);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->rows, 3);
  ASSERT_EQ(read->row_groups.size(), 1U);
  EXPECT_EQ(write_parquet_footer(*read, read->row_groups, read->rows), footer());
}

TEST(ParquetFooter, MovesPlacesAndLeavesThoseThatAreNone) {
  const auto moved = read_parquet_footer(footer(), 20);
  const auto plain = read_parquet_footer(footer(), 0);
  ASSERT_TRUE(moved && plain);
  std::string expected = plain->row_groups[0];
  expected[expected.find("\x26\x08") + 1] = '\x30';  // 4 + 20, as a zigzag.
  const std::size_t page = expected.find('\x96') + 1;
  expected[page] = static_cast<char>(0xB4);  // 70 + 20.
  EXPECT_EQ(moved->row_groups[0], expected);
}

TEST(ParquetFooter, HoldsManyRowGroups) {
  const auto read = read_parquet_footer(footer(), 0);
  ASSERT_TRUE(read);
  const std::vector<std::string> many(1'000, read->row_groups[0]);
  const auto again = read_parquet_footer(write_parquet_footer(*read, many, 3'000), 0);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->rows, 3'000);
  EXPECT_EQ(again->row_groups, many);
}

TEST(ParquetFooter, ThatIsCutOffIsRefused) {
  const std::string whole = footer();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read_parquet_footer(whole.substr(0, size), 0)) << size;
  }
}

}  // namespace
}  // namespace weir::batch
