#include "serve/bind.h"

#include <limits>

#include <gtest/gtest.h>

#include "serve/test_session.h"

namespace weir::serve {
namespace {

class NoWait final : public model::Inference {
 public:
  void complete() override {}
};

protocol::InputTensor& add_input(
    protocol::PredictRequest& request, std::string_view name, const tensor::Shape& shape
) {
  protocol::InputTensor& input = request.add_input();
  input.name = name;
  input.tensor.reset(tensor::DataType::fp32, shape);
  return input;
}

TEST(Bind, PutsInputsIntoTheOrderOfTheSignatureAndCountsRows) {
  model::Signature signature = test_signature();
  signature.inputs.push_back({"z", tensor::DataType::fp32, tensor::Shape{-1}});
  protocol::PredictRequest request;
  add_input(request, "z", {3});
  add_input(request, "x", {3, 2});
  NoWait inference;
  ASSERT_TRUE(bind_inputs(signature, request, inference).has_value());
  EXPECT_EQ(inference.inputs[0].shape(), (tensor::Shape{3, 2}));
  EXPECT_EQ(inference.inputs[1].shape(), (tensor::Shape{3}));
  EXPECT_EQ(inference.rows, 3U);
}

TEST(Bind, InputsOfDifferentLengthsAreOneRow) {
  model::Signature signature = test_signature();
  signature.inputs.push_back({"z", tensor::DataType::fp32, tensor::Shape{-1}});
  protocol::PredictRequest request;
  add_input(request, "x", {3, 2});
  add_input(request, "z", {5});
  NoWait inference;
  ASSERT_TRUE(bind_inputs(signature, request, inference).has_value());
  EXPECT_EQ(inference.rows, 1U);
}

struct Fault {
  const char* name;
  tensor::DataType datatype;
  tensor::Shape shape;
  const char* message_part;
};

TEST(Bind, FaultsNameTheInputAndBothSides) {
  const Fault faults[] = {
      {"y", tensor::DataType::fp32, {1, 2}, "input 'x' is missing"},
      {"x", tensor::DataType::fp64, {1, 2}, "wants datatype FP32, got FP64"},
      {"x", tensor::DataType::fp32, {1, 3}, "wants shape [-1,2], got [1,3]"},
      {"x", tensor::DataType::fp32, {2}, "wants shape [-1,2], got [2]"},
  };
  for (const Fault& fault : faults) {
    protocol::PredictRequest request;
    protocol::InputTensor& input = request.add_input();
    input.name = fault.name;
    input.tensor.reset(fault.datatype, fault.shape);
    NoWait inference;
    const auto bound = bind_inputs(test_signature(), request, inference);
    ASSERT_FALSE(bound.has_value());
    EXPECT_EQ(bound.error().code, Code::invalid_argument);
    EXPECT_NE(bound.error().message.find(fault.message_part), std::string::npos)
        << bound.error().message;
  }
}

TEST(Bind, AnInputThatTheModelDoesNotHaveIsNamed) {
  protocol::PredictRequest request;
  add_input(request, "x", {1, 2});
  add_input(request, "extra", {1});
  NoWait inference;
  const auto bound = bind_inputs(test_signature(), request, inference);
  ASSERT_FALSE(bound.has_value());
  EXPECT_NE(bound.error().message.find("'extra'"), std::string::npos);
}

TEST(Bind, AMissingValueIsRefusedOnlyWhereTheFeatureForbidsIt) {
  model::Signature signature = test_signature();
  signature.features[1].may_be_missing = false;
  for (const std::size_t missing : {0U, 1U}) {
    protocol::PredictRequest request;
    protocol::InputTensor& input = add_input(request, "x", {1, 2});
    input.tensor.values<float>()[1 - missing] = 1;
    input.tensor.values<float>()[missing] = std::numeric_limits<float>::quiet_NaN();
    NoWait inference;
    EXPECT_EQ(bind_inputs(signature, request, inference).has_value(), missing == 0);
  }
}

TEST(Bind, ARawBodyBecomesTheOneInput) {
  protocol::PredictRequest request;
  const float values[] = {1, 2};
  request.raw = true;
  request.raw_body = {reinterpret_cast<const char*>(values), sizeof(values)};
  NoWait inference;
  ASSERT_TRUE(bind_inputs(test_signature(), request, inference).has_value());
  EXPECT_EQ(inference.inputs[0].shape(), (tensor::Shape{1, 2}));
  EXPECT_EQ(inference.inputs[0].values<float>()[1], 2);
  request.raw_body.remove_suffix(1);
  EXPECT_FALSE(bind_inputs(test_signature(), request, inference).has_value());
}

TEST(Bind, RequestedOutputsKeepTheirOrder) {
  model::Signature signature = test_signature();
  signature.outputs.push_back({"w", tensor::DataType::fp32, tensor::Shape{-1}});
  protocol::PredictRequest request;
  std::vector<std::size_t> outputs;
  ASSERT_TRUE(bind_outputs(signature, request, outputs).has_value());
  EXPECT_EQ(outputs, (std::vector<std::size_t>{0, 1}));
  request.outputs = {{"w", {}}, {"y", {}}};
  ASSERT_TRUE(bind_outputs(signature, request, outputs).has_value());
  EXPECT_EQ(outputs, (std::vector<std::size_t>{1, 0}));
  request.outputs = {{"none", {}}};
  EXPECT_FALSE(bind_outputs(signature, request, outputs).has_value());
}

}  // namespace
}  // namespace weir::serve
