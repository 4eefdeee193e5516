#include "serve/batch.h"

#include <array>

#include <gtest/gtest.h>

#include "serve/test_session.h"

namespace weir::serve {
namespace {

using model::Inference;
using tensor::DataType;
using tensor::Shape;

TEST(Batch, RowsGoInOneAfterTheOtherAndComeBackToTheirOwners) {
  TestInference one(10, 2);
  TestInference two(20, 1);
  TestInference three(30, 3);
  std::array<Inference*, 3> members = {&one, &two, &three};
  Batch batch;
  batch.gather(members);
  EXPECT_EQ(batch.rows, 6U);
  EXPECT_EQ(batch.inputs[0].shape(), (Shape{6, 2}));
  TestSession session(0.5F);
  EXPECT_EQ(session.infer(batch), model::Progress::done);
  ASSERT_TRUE(batch.scatter(members));
  EXPECT_EQ(one.output(0), 10.5F);
  EXPECT_EQ(one.output(1), 11.5F);
  EXPECT_EQ(two.output(0), 20.5F);
  EXPECT_EQ(three.output(2), 32.5F);
  EXPECT_EQ(three.outputs[0].shape(), (Shape{3, 1}));
  // One of them counts the execution.
  EXPECT_EQ(one.batch_rows, 6U);
  EXPECT_EQ(two.batch_rows + three.batch_rows, 0U);
}

TEST(Batch, TextsComeBackToTheirOwnersToo) {
  TestInference one(0);
  TestInference two(0);
  const std::array<std::string, 3> texts = {"", "bb", "ccc"};
  one.inputs[0].reset(DataType::bytes, Shape{1, 1});
  one.inputs[0].add_string(texts[0]);
  two.rows = 2;
  two.inputs[0].reset(DataType::bytes, Shape{2, 1});
  two.inputs[0].add_string(texts[1]);
  two.inputs[0].add_string(texts[2]);
  ASSERT_TRUE(may_share(one, two));
  std::array<Inference*, 2> members = {&one, &two};
  Batch batch;
  batch.gather(members);
  batch.outputs = batch.inputs;  // An identity.
  ASSERT_TRUE(batch.scatter(members));
  EXPECT_EQ(one.outputs[0].string(0), "");
  EXPECT_EQ(two.outputs[0].string(0), "bb");
  EXPECT_EQ(two.outputs[0].string(1), "ccc");
}

TEST(Batch, OtherShapesTypesAndRowsThatDoNotMatchNeverMix) {
  TestInference one(1);
  TestInference wider(1);
  wider.inputs[0].reset(DataType::fp32, Shape{1, 3});
  EXPECT_FALSE(may_share(one, wider));
  TestInference other_type(1);
  other_type.inputs[0].reset(DataType::fp64, Shape{1, 2});
  EXPECT_FALSE(may_share(one, other_type));
  TestInference scalar(1);
  scalar.inputs[0].reset(DataType::fp32, Shape{});
  EXPECT_FALSE(may_share(scalar, scalar));
  TestInference unequal(1, 2);
  unequal.rows = 1;  // Its inputs do not agree on the number of rows.
  EXPECT_FALSE(may_share(unequal, one));
  TestInference longer(1, 7);
  EXPECT_TRUE(may_share(one, longer));
}

TEST(Batch, AnOutputThatIsNotByRowCannotBeGivenOut) {
  TestInference one(1);
  TestInference two(2);
  std::array<Inference*, 2> members = {&one, &two};
  Batch batch;
  batch.gather(members);
  batch.outputs.resize(1);
  batch.outputs[0].reset(DataType::fp32, Shape{1, 1});
  EXPECT_FALSE(batch.scatter(members));
  EXPECT_TRUE(one.outputs.empty());
}

TEST(Batch, ItsDeadlineIsTheLastOneIfAllHaveOne) {
  TestInference one(1);
  TestInference two(2);
  std::array<Inference*, 2> members = {&one, &two};
  one.deadline = 5;
  Batch batch;
  batch.gather(members);
  EXPECT_EQ(batch.deadline, 0);
  two.deadline = 9;
  batch.gather(members);
  EXPECT_EQ(batch.deadline, 9);
}

}  // namespace
}  // namespace weir::serve
