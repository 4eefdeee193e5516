#include "api/body.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "api/exports.h"
#include "base/id.h"

namespace weir::api {
namespace {

TEST(Body, AnEmptyMoveIsAllDefaults) {
  const auto move = read_move("");
  ASSERT_TRUE(move.has_value());
  EXPECT_FALSE(move->full);
  EXPECT_TRUE(read_move(R"({"full":true,"by":"me","text":"why"})")->full);
}

TEST(Body, UnknownKeysAndWrongTypesAreNamed) {
  for (const char* body :
       {R"({"ful":true})", R"({"full":1})", R"({"by":2})", "[]", "{", "nonsense"}) {
    EXPECT_EQ(read_move(body).error().code, Code::invalid_argument) << body;
  }
  EXPECT_NE(read_move(R"({"ful":true})").error().message.find("'ful'"), std::string::npos);
  EXPECT_FALSE(read_sql("{}").has_value());
  EXPECT_FALSE(read_sql(R"({"query":"x","max_rows":0})").has_value());
  EXPECT_FALSE(read_export_body(R"({"query":"x","format":"xlsx"})").has_value());
  EXPECT_FALSE(read_erase(R"({"endpoint":"e"})").has_value());
}

class ExportsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = make_uuid7(now_us()).text();
    folder_ = std::filesystem::temp_directory_path() / std::string(text.data(), text.size());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(ExportsTest, AFileIsReadInChunksAndDeleted) {
  Exports exports({.folder = folder_, .max_chunk_bytes = 4});
  const auto place = exports.reserve(".csv", 0).value();
  EXPECT_EQ(exports.read(place.id, 0, 0).error().code, Code::unavailable);
  std::ofstream(place.path) << "abcdef";
  EXPECT_EQ(exports.read(place.id, 0, 0).value(), "abcd");
  EXPECT_EQ(exports.read(place.id, 4, 0).value(), "ef");
  EXPECT_EQ(exports.read(place.id, 6, 0).value(), "");
  EXPECT_EQ(exports.read(place.id, 600, 0).value(), "");
  ASSERT_TRUE(exports.remove(place.id).has_value());
  EXPECT_FALSE(std::filesystem::exists(place.path));
  EXPECT_EQ(exports.read(place.id, 0, 0).error().code, Code::not_found);
}

TEST_F(ExportsTest, TheirNumberIsLimitedAndOldOnesGo) {
  Exports exports({.folder = folder_, .max_files = 2, .keep_us = 10});
  ASSERT_TRUE(exports.reserve(".csv", 0).has_value());
  ASSERT_TRUE(exports.reserve(".csv", 5).has_value());
  const auto full = exports.reserve(".csv", 6);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, Code::exhausted);
  EXPECT_TRUE(exports.reserve(".csv", 11).has_value());
}

}  // namespace
}  // namespace weir::api
