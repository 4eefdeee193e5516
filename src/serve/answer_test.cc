#include "serve/answer.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

using model::Task;
using tensor::DataType;
using tensor::Shape;

tensor::Tensor floats(const Shape& shape, std::initializer_list<float> values) {
  tensor::Tensor tensor;
  tensor.reset(DataType::fp32, shape);
  std::ranges::copy(values, tensor.values<float>().begin());
  return tensor;
}

model::Signature classifier(Task task) {
  model::Signature signature;
  signature.task = task;
  signature.outputs = {{"label", DataType::int64, Shape{-1}}, {"p", DataType::fp32, Shape{-1, 2}}};
  signature.score = model::OutputElement{1, 1};
  signature.predicted = model::OutputElement{0, 0};
  return signature;
}

TEST(Answer, ReadsLabelAndProbabilityOfEachRow) {
  std::vector<tensor::Tensor> outputs(2);
  outputs[0].reset(DataType::int64, Shape{2});
  outputs[0].values<std::int64_t>()[0] = 1;
  outputs[0].values<std::int64_t>()[1] = -3;
  outputs[1] = floats({2, 2}, {0.25F, 0.75F, 0.5F, 0.5F});
  std::vector<RowAnswer> answers;
  read_answers(classifier(Task::binary), outputs, 2, answers);
  EXPECT_EQ(answers[0].predicted, "1");
  EXPECT_EQ(answers[1].predicted, "-3");
  EXPECT_DOUBLE_EQ(answers[0].score, 0.75);
}

TEST(Answer, WithoutALabelTheScoreDecides) {
  model::Signature signature = classifier(Task::binary);
  signature.predicted.reset();
  signature.classes = {"no", "yes"};
  std::vector<tensor::Tensor> outputs(2);
  outputs[1] = floats({2, 2}, {0.25F, 0.75F, 0.75F, 0.25F});
  std::vector<RowAnswer> answers;
  read_answers(signature, outputs, 2, answers);
  EXPECT_EQ(answers[0].predicted, "yes");
  EXPECT_EQ(answers[1].predicted, "no");
}

TEST(Answer, MulticlassTakesTheLargest) {
  model::Signature signature = classifier(Task::multiclass);
  signature.predicted.reset();
  std::vector<tensor::Tensor> outputs(2);
  outputs[1] = floats({1, 3}, {0.2F, 0.1F, 0.7F});
  std::vector<RowAnswer> answers;
  read_answers(signature, outputs, 1, answers);
  EXPECT_EQ(answers[0].predicted, "2");
  EXPECT_FLOAT_EQ(static_cast<float>(answers[0].score), 0.7F);
}

TEST(Answer, WholeNumbersAreWrittenAsOneLabel) {
  model::Signature signature;
  signature.task = Task::regression;
  signature.outputs = {{"y", DataType::fp32, Shape{-1}}};
  signature.score = model::OutputElement{0, 0};
  std::vector<tensor::Tensor> outputs = {floats({2}, {1.0F, 0.1F})};
  std::vector<RowAnswer> answers;
  read_answers(signature, outputs, 2, answers);
  EXPECT_EQ(answers[0].predicted, "1");
  EXPECT_EQ(answers[1].predicted, "0.1");
}

TEST(Answer, AScoreAloneIsClassOneWhenItIsMoreThanHalf) {
  model::Signature signature;
  signature.task = Task::binary;
  signature.outputs = {{"p", DataType::fp32, Shape{-1}}};
  signature.score = model::OutputElement{0, 0};
  std::vector<tensor::Tensor> outputs = {floats({3}, {0.5F, 0.50000006F, 0.25F})};
  std::vector<RowAnswer> answers;
  read_answers(signature, outputs, 3, answers);
  EXPECT_EQ(answers[0].predicted, "0") << "as a forest of XGBoost answers";
  EXPECT_EQ(answers[1].predicted, "1");
  EXPECT_EQ(answers[2].predicted, "0");
}

TEST(Answer, AnOutputThatIsTooShortGivesNoScore) {
  std::vector<tensor::Tensor> outputs(2);
  outputs[0].reset(DataType::int64, Shape{0});
  outputs[1] = floats({2, 1}, {0.5F, 0.5F});
  std::vector<RowAnswer> answers;
  read_answers(classifier(Task::binary), outputs, 2, answers);
  EXPECT_FALSE(answers[0].has_score);
  EXPECT_EQ(answers[0].predicted, "");
}

}  // namespace
}  // namespace weir::serve
