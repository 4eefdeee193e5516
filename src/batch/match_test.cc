#include "batch/match.h"

#include <gtest/gtest.h>

namespace weir::batch {
namespace {

using model::Signature;
using tensor::DataType;
using tensor::Shape;

// `x` [-1, 2] with made-up names and `t` [-1], a text.
Signature signature() {
  Signature made;
  made.inputs = {{"x", DataType::fp32, Shape{-1, 2}}, {"t", DataType::bytes, Shape{-1}}};
  made.has_row_axis = true;
  made.features = {
      {.name = "x_0", .input = 0, .index = 0},
      {.name = "x_1", .may_be_missing = false, .input = 0, .index = 1},
      {.name = "t", .input = 1, .index = 0}};
  return made;
}

table::FileHead file(const std::vector<std::string>& names, const char* path = "in.csv") {
  table::FileHead head{.path = path, .columns = {}};
  for (const std::string& name : names) head.columns.push_back({name, "VARCHAR"});
  return head;
}

// The names in the model's order, or the error.
std::string names(const Result<Match>& match) {
  if (!match) return match.error().message;
  std::string text;
  for (const table::TypedColumn& column : match->columns) text += column.name + " ";
  return text;
}

TEST(Match, TakesColumnsByTheNamesOfTheFeatures) {
  const auto match = match_columns(signature(), file({"t", "x_1", "more", "x_0"}), {});
  ASSERT_EQ(names(match), "x_0 x_1 t ");
  EXPECT_EQ(match->note, "");
  EXPECT_FALSE(match->columns[1].may_be_missing);
  EXPECT_EQ(match->columns[2].datatype, DataType::bytes);
  EXPECT_EQ(match->places[1].element, 1U);
  EXPECT_EQ(match->places[2].input, 1U);
}

TEST(Match, TakesTheEndpointsNamesForMadeUpOnes) {
  const MatchOptions options{.endpoint_features = {"age", "pay", "job"}};
  EXPECT_EQ(
      names(match_columns(signature(), file({"job", "pay", "age"}), options)), "age pay job "
  );
}

TEST(Match, TakesPositionsOnlyWhenNoNameFitsAndTheNumberDoes) {
  const auto match = match_columns(signature(), file({"k", "a", "b", "c"}), {.keep = {"k"}});
  ASSERT_EQ(names(match), "a b c ");
  EXPECT_NE(match->note.find("taken by position: a as x_0, b as x_1, c as t"), std::string::npos);
  EXPECT_NE(
      names(match_columns(signature(), file({"k", "a", "b", "c"}), {})).find("has no column"), 0U
  );
  EXPECT_FALSE(match_columns(signature(), file({"x_0", "b", "c"}), {}));
  EXPECT_FALSE(match_columns(signature(), file({"a", "b", "c"}, "in.ndjson"), {}));
}

TEST(Match, TakesTheColumnsThatAPersonGives) {
  const MatchOptions options{.columns = {"c", "b", "a"}};
  EXPECT_EQ(names(match_columns(signature(), file({"a", "b", "c", "d"}), options)), "c b a ");
  EXPECT_EQ(
      names(match_columns(signature(), file({"a"}), {.columns = {"a"}})),
      "--columns names 1 columns; the model wants 3, in this order: x_0, x_1, t"
  );
}

TEST(Match, TakesAWideInputAsOneListAndRefusesWhatNoRowHolds) {
  Signature wide;
  wide.has_row_axis = true;
  wide.inputs = {{"image", DataType::fp32, Shape{-1, 28, 28}}};
  const auto match = match_columns(wide, file({"image"}), {});
  ASSERT_EQ(names(match), "image ");
  EXPECT_EQ(match->columns[0].elements, 784U);
  wide.inputs = {{"image", DataType::fp32, Shape{-1, -1}}};
  EXPECT_FALSE(match_columns(wide, file({"image"}), {}));
  wide.inputs = {{"image", DataType::fp16, Shape{-1, 784}}};
  EXPECT_FALSE(match_columns(wide, file({"image"}), {}));
}

}  // namespace
}  // namespace weir::batch
