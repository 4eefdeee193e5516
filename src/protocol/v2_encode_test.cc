#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "protocol/v2.h"
#include "protocol/v2_binary.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using testing::AllOf;
using testing::HasSubstr;

template <class T>
Tensor tensor_of(const Shape& shape, const std::vector<T>& values) {
  Tensor result;
  result.reset(tensor::data_type_of<T>(), shape);
  std::copy(values.begin(), values.end(), result.values<T>().begin());
  return result;
}

Tensor texts(const std::vector<std::string_view>& values) {
  Tensor result;
  result.reset(DataType::bytes, Shape{static_cast<std::int64_t>(values.size())});
  for (const std::string_view value : values) result.add_string(value);
  return result;
}

struct Encoded {
  Result<EncodedHeaders> headers;
  std::string body;
};
Encoded encode(const std::vector<OutputTensor>& outputs) {
  PredictResponse response;
  response.model_name = "m";
  response.outputs = outputs;
  Encoded encoded;
  encoded.headers = encode_v2(response, encoded.body);
  return encoded;
}

TEST(EncodeV2, WritesEverythingThatAnAnswerHas) {
  const Tensor label = tensor_of<std::int64_t>(Shape{2}, {1, 0});
  const Tensor probabilities = tensor_of<float>(Shape{2, 2}, {0.25F, 0.75F, 0.9F, 1.0F});
  PredictResponse response;
  response.model_name = "fraud";
  response.model_version = "3";
  response.id = "a \"quoted\" id";
  response.arm = "candidate";
  response.decision = "answered";
  response.outputs = {{"label", &label, false}, {"probabilities", &probabilities, false}};
  std::string body = "before ";
  const auto headers = encode_v2(response, body);
  ASSERT_TRUE(headers);
  EXPECT_EQ(
      body,
      R"(before {"model_name":"fraud","model_version":"3","id":"a \"quoted\" id",)"
      R"("parameters":{"weir_version":"3","weir_arm":"candidate","weir_decision":"answered"},)"
      R"("outputs":[{"name":"label","datatype":"INT64","shape":[2],"data":[1,0]},)"
      R"({"name":"probabilities","datatype":"FP32","shape":[2,2],"data":[0.25,0.75,0.9,1.0]}]})"
  );
  EXPECT_FALSE(headers->is_binary);
  EXPECT_EQ(headers->json_bytes, body.size() - 7);
}

TEST(EncodeV2, LeavesOutWhatThereIsNot) {
  const Tensor output = tensor_of<double>(Shape{1}, {0.1});
  EXPECT_EQ(
      encode({{"y", &output, false}}).body,
      R"({"model_name":"m","parameters":{},)"
      R"("outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[0.1]}]})"
  );
}

TEST(EncodeV2, WritesEveryDatatypeAsJson) {
  const auto data = [](const Tensor& tensor) {
    const std::string body = encode({{"y", &tensor, false}}).body;
    const std::size_t begin = body.find("\"data\":") + 7;
    return body.substr(begin, body.size() - begin - 3);
  };
  EXPECT_EQ(data(tensor_of<bool>(Shape{2}, {true, false})), "[true,false]");
  EXPECT_EQ(data(tensor_of<std::uint8_t>(Shape{2}, {0, 255})), "[0,255]");
  EXPECT_EQ(data(tensor_of<std::int8_t>(Shape{1}, {-128})), "[-128]");
  EXPECT_EQ(data(tensor_of<std::uint16_t>(Shape{1}, {65535})), "[65535]");
  EXPECT_EQ(data(tensor_of<std::int32_t>(Shape{1}, {-7})), "[-7]");
  EXPECT_EQ(
      data(tensor_of<std::uint64_t>(Shape{1}, {std::numeric_limits<std::uint64_t>::max()})),
      "[18446744073709551615]"
  );
  EXPECT_EQ(
      data(tensor_of<float>(Shape{3}, {std::numeric_limits<float>::quiet_NaN(), -1.0F, 1e-7F})),
      "[null,-1.0,1e-07]"
  );
  EXPECT_EQ(data(texts({"a\"", "", "é"})), R"(["a\"","","é"])");
  EXPECT_EQ(data(tensor_of<float>(Shape{0, 2}, {})), "[]");
}

TEST(EncodeV2, PutsBinaryTensorsAfterTheJsonInOrder) {
  const Tensor first = tensor_of<std::int16_t>(Shape{2}, {1, 2});
  const Tensor second = tensor_of<std::int64_t>(Shape{1}, {7});
  const Tensor third = texts({"ab", ""});
  const auto encoded = encode({{"a", &first, true}, {"b", &second, false}, {"c", &third, true}});
  ASSERT_TRUE(encoded.headers);
  EXPECT_TRUE(encoded.headers->is_binary);
  const std::string json = encoded.body.substr(0, encoded.headers->json_bytes);
  EXPECT_EQ(
      json,
      R"({"model_name":"m","parameters":{},"outputs":[)"
      R"({"name":"a","datatype":"INT16","shape":[2],"parameters":{"binary_data_size":4}},)"
      R"({"name":"b","datatype":"INT64","shape":[1],"data":[7]},)"
      R"({"name":"c","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}}]})"
  );
  EXPECT_EQ(encoded.body.substr(json.size()), std::string("\1\0\2\0\2\0\0\0ab\0\0\0\0", 14));
}

TEST(EncodeV2, IsPlainJsonWhenAllBinaryOutputsAreEmpty) {
  const Tensor empty = tensor_of<float>(Shape{0, 3}, {});
  const auto encoded = encode({{"y", &empty, true}});
  ASSERT_TRUE(encoded.headers);
  EXPECT_FALSE(encoded.headers->is_binary);
  EXPECT_EQ(encoded.headers->json_bytes, encoded.body.size());
  EXPECT_THAT(encoded.body, HasSubstr(R"("shape":[0,3],"parameters":{"binary_data_size":0}})"));
}

TEST(EncodeV2, RefusesJsonForBytesThatAreNotUtf8) {
  const Tensor output = texts({"fine", "\xFF\xFE"});
  const auto encoded = encode({{"blob", &output, false}});
  ASSERT_FALSE(encoded.headers);
  EXPECT_EQ(encoded.headers.error().code, Code::invalid_argument);
  EXPECT_THAT(
      encoded.headers.error().message,
      AllOf(HasSubstr("'blob'"), HasSubstr("element 1"), HasSubstr("binary_data"))
  );
  EXPECT_EQ(encoded.body, "");
  EXPECT_TRUE(encode({{"blob", &output, true}}).headers);
}

TEST(EncodeV2, RefusesJsonForHalfPrecision) {
  Tensor output;
  output.reset(DataType::fp16, Shape{1});
  const auto encoded = encode({{"y", &output, false}});
  ASSERT_FALSE(encoded.headers);
  EXPECT_THAT(
      encoded.headers.error().message, AllOf(HasSubstr("'y' is FP16"), HasSubstr("binary only"))
  );
  EXPECT_TRUE(encode({{"y", &output, true}}).headers);
}

TEST(EncodeV2, IsReadBackByTheDecoder) {
  // An answer's outputs have the form of a request's inputs.
  const Tensor output = tensor_of<float>(Shape{1, 3}, {0.1F, 1e30F, -0.0F});
  std::string body = encode({{"x", &output, false}}).body;
  body.replace(body.find("\"outputs\""), 9, "\"inputs\"");
  PredictRequest request;
  ASSERT_TRUE(decode_v2(body, std::nullopt, {}, request));
  std::string before;
  std::string after;
  append_binary(output, before);
  append_binary(request.inputs[0].tensor, after);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace weir::protocol
