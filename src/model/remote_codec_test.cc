#include "model/remote_codec.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_fixture.h"

namespace weir::model {
namespace {

using tensor::DataType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Signature pair_signature() {
  Signature signature;
  signature.inputs = {{"x", DataType::fp32, {-1, 2}}, {"city", DataType::bytes, {-1}}};
  signature.outputs = {{"y", DataType::fp64, {-1}}, {"label", DataType::int64, {-1}}};
  return signature;
}

std::string error_of(std::string_view answer, std::optional<std::size_t> json_bytes = {}) {
  std::vector<tensor::Tensor> outputs;
  const auto decoded = decode_remote_answer(answer, json_bytes, pair_signature(), outputs);
  if (decoded) return "it was taken";
  EXPECT_EQ(decoded.error().code, Code::internal) << decoded.error().message;
  return decoded.error().message;
}

TEST(RemoteCodec, WritesARequestAsJsonWithMissingValuesAsNull) {
  TestInference call;
  const float missing = std::numeric_limits<float>::quiet_NaN();
  call.add<float>({1, 2}, {1.5F, missing}).add_texts({1}, {"Z\"ug"});
  std::string body = "what was there before";
  const auto bytes = encode_remote_request(pair_signature(), call.inputs, {}, body);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, body.size());
  EXPECT_EQ(
      body,
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1.5,null]},)"
      R"({"name":"city","datatype":"BYTES","shape":[1],"data":["Z\"ug"]}]})"
  );
}

TEST(RemoteCodec, WritesBinaryTensorsBehindTheJson) {
  TestInference call;
  call.add<float>({1, 2}, {1.0F, 2.0F}).add_texts({1}, {"\xff"});
  std::string body;
  const auto bytes = encode_remote_request(pair_signature(), call.inputs, {.binary = true}, body);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(body.size() - *bytes, 8 + 5);
  EXPECT_THAT(body.substr(0, *bytes), HasSubstr(R"("parameters":{"binary_data_size":8}})"));
  EXPECT_THAT(body.substr(0, *bytes), HasSubstr(R"("parameters":{"binary_data_output":true}})"));
  EXPECT_EQ(body.substr(*bytes + 8), std::string("\x01\0\0\0\xff", 5));
}

TEST(RemoteCodec, RefusesWhatJsonCannotCarry) {
  TestInference call;
  call.add<float>({1, 2}, {1, 2}).add_texts({1}, {"\xff"});
  std::string body;
  const auto bytes = encode_remote_request(pair_signature(), call.inputs, {}, body);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::invalid_argument);
  EXPECT_THAT(bytes.error().message, HasSubstr("input 'city' is not UTF-8"));
  Signature half = pair_signature();
  half.outputs[0].datatype = DataType::fp16;
  EXPECT_TRUE(check_remote_form(half, {.binary = true}));
  EXPECT_THAT(check_remote_form(half, {}).error().message, HasSubstr("'y' is FP16"));
}

TEST(RemoteCodec, ReadsOutputsByNameInAnyOrderAndPassesOverOthers) {
  std::vector<tensor::Tensor> outputs;
  const auto decoded = decode_remote_answer(
      R"({"model_name":"m","outputs":[
        {"data":[3,4],"shape":[2],"datatype":"INT64","name":"label"},
        {"name":"extra","shape":[1],"datatype":"FP16","data":["?"]},
        {"name":"y","datatype":"FP64","shape":[2],"data":[0.25,null]}],"id":"7"})",
      {},
      pair_signature(),
      outputs
  );
  ASSERT_TRUE(decoded) << decoded.error().message;
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(values_of<double>(outputs[0])[0], 0.25);
  EXPECT_TRUE(std::isnan(values_of<double>(outputs[0])[1]));
  EXPECT_THAT(values_of<std::int64_t>(outputs[1]), ElementsAre(3, 4));
}

TEST(RemoteCodec, ReadsBinaryOutputsInTheOrderOfTheAnswer) {
  const std::string json =
      R"({"outputs":[{"name":"label","datatype":"INT64","shape":[1],)"
      R"("parameters":{"binary_data_size":8}},)"
      R"({"name":"y","datatype":"FP64","shape":[1],"parameters":{"binary_data_size":8}}]})";
  const std::string answer =
      json + std::string("\x05\0\0\0\0\0\0\0", 8) + std::string("\0\0\0\0\0\0\xf0\x3f", 8);
  std::vector<tensor::Tensor> outputs;
  ASSERT_TRUE(decode_remote_answer(answer, json.size(), pair_signature(), outputs));
  EXPECT_THAT(values_of<double>(outputs[0]), ElementsAre(1.0));
  EXPECT_THAT(values_of<std::int64_t>(outputs[1]), ElementsAre(5));
  const std::string_view cut(answer.data(), answer.size() - 1);
  EXPECT_THAT(error_of(cut, json.size()), HasSubstr("ends inside output 'y'"));
  EXPECT_THAT(error_of(json, json.size() + 1), HasSubstr("shorter"));
}

TEST(RemoteCodec, SaysWhatIsWrongWithAnAnswer) {
  EXPECT_THAT(error_of(""), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(R"({"outputs":)"), HasSubstr("JSON"));
  EXPECT_THAT(error_of(R"({"outputs":[]})"), HasSubstr("no output 'y'"));
  const auto with_y = [](std::string_view members) {
    return error_of(fmt::format(R"({{"outputs":[{{"name":"y",{}}}]}})", members));
  };
  EXPECT_THAT(with_y(R"("datatype":"FP64","shape":[1])"), HasSubstr("no datatype, shape or data"));
  EXPECT_THAT(
      with_y(R"("datatype":"FP32","shape":[1],"data":[1])"),
      HasSubstr("is FP32 [1]; its metadata said FP64 [-1]")
  );
  EXPECT_THAT(with_y(R"("datatype":"FP64","shape":[1,1],"data":[1])"), HasSubstr("[1,1]"));
  EXPECT_THAT(with_y(R"("datatype":"FP64","shape":[2],"data":[1])"), HasSubstr("output 'y'"));
  EXPECT_THAT(
      with_y(R"("datatype":"FP64","shape":[4611686018427387904],"data":[1])"),
      HasSubstr("too little data")
  );
  EXPECT_THAT(with_y(R"("datatype":"FP64","shape":[-1],"data":[1])"), HasSubstr("cannot be"));
  EXPECT_THAT(with_y(R"("datatype":"FP65")"), HasSubstr("FP65"));
}

TEST(RemoteCodec, ReadsMetadataAndExtensions) {
  const auto signature = decode_remote_metadata(
      R"({"name":"m","versions":["1"],"platform":"p","inputs":[{"name":"x","datatype":"FP32",)"
      R"("shape":[-1,8]}],"outputs":[{"name":"y","datatype":"BYTES","shape":[-1]}]})"
  );
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_EQ(signature->inputs.at(0).shape, tensor::Shape({-1, 8}));
  EXPECT_EQ(signature->outputs.at(0).datatype, DataType::bytes);
  EXPECT_FALSE(decode_remote_metadata(R"({"inputs":[{"name":"x"}]})"));
  EXPECT_FALSE(decode_remote_metadata("<html>"));
  EXPECT_TRUE(*decode_server_extensions(R"({"extensions":["a",1,"binary_tensor_data"]})"));
  EXPECT_FALSE(*decode_server_extensions(R"({"name":"binary_tensor_data","extensions":null})"));
}

TEST(RemoteCodec, ReadsErrorsOfEveryForm) {
  EXPECT_EQ(decode_remote_error(R"({"id":1,"error":"x is odd"})"), "x is odd");
  EXPECT_EQ(decode_remote_error("<html>"), "<html>");
  EXPECT_EQ(decode_remote_error(R"({"detail":"no"})"), R"({"detail":"no"})");
  EXPECT_EQ(decode_remote_error(std::string(10'000, 'x')).size(), 500U);
  EXPECT_EQ(decode_remote_error(""), "");
}

}  // namespace
}  // namespace weir::model
