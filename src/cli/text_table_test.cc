#include "cli/text_table.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(TextTable, NumbersStandToTheRightAndTextToTheLeft) {
  TextTable table({"name", "rows"});
  table.add({"a", "1"});
  table.add({"longer", "1,234"});
  EXPECT_EQ(table.text(), "name     rows\na           1\nlonger  1,234\n");
}

TEST(TextTable, FitsTheWidthByCuttingTheWidestColumn) {
  TextTable table({"key", "text"});
  table.add({"k", std::string(200, 'x')});
  const std::string text = table.text(40);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(display_width(text.substr(at, end - at)), 40U);
    at = end + 1;
  }
  EXPECT_NE(text.find("…"), std::string::npos);
}

TEST(TextTable, CountsCharactersAndNotBytes) {
  EXPECT_EQ(display_width("é…█"), 3U);
  TextTable table({"x", "y"});
  table.add({"é", "b"});
  table.add({"e", "b"});
  const std::string text = table.text();
  EXPECT_NE(text.find("é  b"), std::string::npos);
}

TEST(Numbers, AreWrittenWithCommas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
}

}  // namespace
}  // namespace weir::cli
