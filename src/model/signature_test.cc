#include "model/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::model {
namespace {

using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

Signature make(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs) {
  Signature signature;
  signature.inputs = std::move(inputs);
  signature.outputs = std::move(outputs);
  derive_meaning(signature);
  return signature;
}

const TensorSpec x = {"x", DataType::fp32, {-1, 2}};
const TensorSpec label = {"label", DataType::int64, {-1}};

std::vector<std::string> feature_names(const Signature& signature) {
  std::vector<std::string> names;
  for (const Feature& feature : signature.features) names.push_back(feature.name);
  return names;
}

TEST(Task, HasANameThatReadsBack) {
  for (const Task task : {Task::binary, Task::multiclass, Task::regression, Task::other}) {
    EXPECT_EQ(parse_task(to_string(task)), task);
  }
  EXPECT_EQ(to_string(Task::multiclass), "multiclass");
  EXPECT_FALSE(parse_task("clustering"));
}

TEST(Meaning, ReadsTheUsualPairOfAConverter) {
  const auto two = make({x}, {label, {"probabilities", DataType::fp32, {-1, 2}}});
  EXPECT_EQ(two.task, Task::binary);
  EXPECT_EQ(two.score->output, 1U);
  EXPECT_EQ(two.score->index, 1U);
  EXPECT_EQ(two.predicted->output, 0U);

  const auto three = make({x}, {label, {"probabilities", DataType::fp32, {-1, 3}}});
  EXPECT_EQ(three.task, Task::multiclass);
  EXPECT_EQ(three.predicted->output, 0U);

  const auto texts = make(
      {x},
      {{"output_probability", DataType::fp32, {-1, -1}}, {"output_label", DataType::bytes, {-1}}}
  );
  EXPECT_EQ(texts.task, Task::multiclass);
  EXPECT_EQ(texts.score->output, 0U);
  EXPECT_EQ(texts.predicted->output, 1U);
}

TEST(Meaning, TakesAPairByTypeWhenTheNamesSayNothing) {
  const auto signature =
      make({x}, {{"a", DataType::fp32, {-1, 2}}, {"b", DataType::int64, {-1, 1}}});
  EXPECT_EQ(signature.task, Task::binary);
  EXPECT_EQ(signature.score->output, 0U);
  EXPECT_EQ(signature.predicted->output, 1U);
}

TEST(Meaning, TakesOneNumberPerRowForARegression) {
  const auto signature = make({x}, {{"variable", DataType::fp32, {-1, 1}}});
  EXPECT_EQ(signature.task, Task::regression);
  EXPECT_EQ(signature.score->output, 0U);
  EXPECT_EQ(signature.predicted->output, 0U);
  EXPECT_EQ(make({x}, {{"y", DataType::fp64, {-1}}}).task, Task::regression);
}

TEST(Meaning, TakesAColumnForAProbabilityOnlyWhenItSaysSo) {
  const auto one = make({x}, {{"Probability", DataType::fp32, {-1, 1}}});
  EXPECT_EQ(one.task, Task::binary);
  EXPECT_EQ(one.score->index, 0U);
  EXPECT_FALSE(one.predicted);
  EXPECT_EQ(make({x}, {{"softmax", DataType::fp32, {-1, 4}}}).task, Task::multiclass);
}

TEST(Meaning, DoesNotGuessWhatAnEmbeddingOrTwoNumbersMean) {
  const auto embedding = make({x}, {{"y", DataType::fp32, {-1, 128}}});
  EXPECT_EQ(embedding.task, Task::other);
  EXPECT_FALSE(embedding.score);
  const auto two =
      make({x}, {{"sum", DataType::fp32, {-1, 2}}, {"product", DataType::fp32, {-1, 2}}});
  EXPECT_EQ(two.task, Task::other);
  const auto image = make({x}, {label, {"mask", DataType::fp32, {-1, 4, 4}}});
  EXPECT_EQ(image.task, Task::other);
  EXPECT_EQ(image.predicted->output, 0U);  // The label says that much.
}

TEST(Meaning, CountsRowsOnlyWhereEveryInputDoes) {
  EXPECT_TRUE(make({x, {"y", DataType::fp32, {-1}}}, {label}).has_row_axis);
  EXPECT_FALSE(make({x, {"y", DataType::fp32, {1, 2}}}, {label}).has_row_axis);
  EXPECT_FALSE(make({{"y", DataType::fp32, {}}}, {label}).has_row_axis);
}

TEST(Meaning, NamesOneFeaturePerElementOfARow) {
  const auto signature =
      make({x, {"city", DataType::bytes, {-1, 1}}, {"grid", DataType::int64, {-1, 2, 2}}}, {label});
  EXPECT_THAT(
      feature_names(signature),
      ElementsAre("x_0", "x_1", "city", "grid_0", "grid_1", "grid_2", "grid_3")
  );
  EXPECT_EQ(signature.features[6].input, 2U);
  EXPECT_EQ(signature.features[6].index, 3U);
  EXPECT_TRUE(signature.features[0].may_be_missing);
  EXPECT_FALSE(signature.features[2].may_be_missing);
  // The first axis counts no rows here: it is part of the row.
  EXPECT_EQ(make({{"x", DataType::fp32, {2, 3}}}, {label}).features.size(), 6U);
}

TEST(Meaning, KeepsFeatureNamesApart) {
  const auto signature =
      make({{"a", DataType::fp32, {-1, 2}}, {"a_1", DataType::fp32, {-1, 1}}}, {label});
  EXPECT_THAT(feature_names(signature), ElementsAre("a_0", "a_1", "a_1_"));
}

TEST(Meaning, NamesNoFeaturesOfAnInputThatIsWideOrVariable) {
  EXPECT_EQ(make({{"x", DataType::fp32, {-1, 256}}}, {label}).features.size(), 256U);
  EXPECT_EQ(make({{"x", DataType::fp32, {-1, 257}}}, {label}).features.size(), 0U);
  EXPECT_EQ(make({{"x", DataType::fp32, {-1, -1}}}, {label}).features.size(), 0U);
}

const Signature served = make({x}, {label, {"probabilities", DataType::fp32, {-1, 2}}});

std::string difference(const Signature& candidate) {
  const auto result = check_can_replace(served, candidate);
  return result ? std::string() : result.error().message;
}

TEST(Replacement, AcceptsTheSameAndMore) {
  EXPECT_EQ(difference(served), "");
  const auto more = make(
      {{"x", DataType::fp32, {-1, -1}}},
      {{"margin", DataType::fp32, {-1}}, {"probabilities", DataType::fp32, {-1, -1}}, label}
  );
  EXPECT_EQ(difference(more), "");
}

TEST(Replacement, SaysHowASidecarMapsOtherNames) {
  const auto message = difference(
      make({{"input", DataType::fp32, {-1, 2}}}, {label, {"output_1", DataType::fp32, {-1, 2}}})
  );
  EXPECT_THAT(message, HasSubstr("inputs: {x: {from: input}}"));
  EXPECT_THAT(message, HasSubstr("outputs: {probabilities: {from: output_1}}"));
  EXPECT_THAT(message, testing::Not(HasSubstr("is new")));
}

TEST(Replacement, ListsEveryDifference) {
  const auto message = difference(make(
      {{"x", DataType::fp64, {-1, 3}}, {"z", DataType::fp32, {-1}}},
      {{"label", DataType::bytes, {-1}}, {"probabilities", DataType::fp32, {-1, 3}}}
  ));
  EXPECT_THAT(message, HasSubstr("input 'x' is FP64 [-1,3], clients send FP32 [-1,2]"));
  EXPECT_THAT(message, HasSubstr("input 'z' FP32 [-1] is new: clients do not send it"));
  EXPECT_THAT(message, HasSubstr("output 'label' is BYTES [-1], clients expect INT64 [-1]"));
  EXPECT_THAT(message, HasSubstr("output 'probabilities' is FP32 [-1,3]"));
}

TEST(Replacement, RefusesAFixedNumberOfRowsWhereItWasVariable) {
  const auto one_row = make({{"x", DataType::fp32, {1, 2}}}, served.outputs);
  EXPECT_THAT(difference(one_row), HasSubstr("input 'x' is FP32 [1,2]"));
  EXPECT_THAT(difference(make({}, {})), HasSubstr("input 'x' FP32 [-1,2] is not taken"));
}

TEST(Signature, FindsTensorsByName) {
  EXPECT_EQ(served.output_index("probabilities"), 1U);
  EXPECT_EQ(served.input_index("x"), 0U);
  EXPECT_FALSE(served.input_index("label"));
}

}  // namespace
}  // namespace weir::model
