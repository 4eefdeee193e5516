#include "protocol/v2_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;
using testing::HasSubstr;

TEST(V2Documents, WriteErrorsAndHealth) {
  EXPECT_EQ(encode_error("no 'x'\n\"y\""), R"({"error":"no 'x'\n\"y\""})");
  EXPECT_EQ(encode_error("a\xFF"), "{\"error\":\"a\xEF\xBF\xBD\"}");
  EXPECT_EQ(encode_health(true, false), R"({"live":true,"ready":false})");
  EXPECT_EQ(encode_model_ready("m", true), R"({"name":"m","ready":true})");
}

TEST(V2Documents, WriteServerMetadata) {
  EXPECT_EQ(
      encode_server_metadata({"weir", "0.1.0", {"binary_tensor_data", "statistics"}}),
      R"({"name":"weir","version":"0.1.0","extensions":["binary_tensor_data","statistics"]})"
  );
}

TEST(V2Documents, WriteModelMetadata) {
  ModelMetadata model;
  model.name = "fraud";
  model.platform = "onnx_onnxv1";
  model.inputs = {{"x", DataType::fp32, Shape{-1, 8}}};
  model.outputs = {{"label", DataType::int64, Shape{-1}}, {"text", DataType::bytes, Shape{}}};
  EXPECT_EQ(
      encode_model_metadata(model),
      R"({"name":"fraud","platform":"onnx_onnxv1",)"
      R"("inputs":[{"name":"x","datatype":"FP32","shape":[-1,8]}],)"
      R"("outputs":[{"name":"label","datatype":"INT64","shape":[-1]},)"
      R"({"name":"text","datatype":"BYTES","shape":[]}]})"
  );
  model.versions = {"1", "2"};
  EXPECT_THAT(encode_model_metadata(model), HasSubstr(R"("versions":["1","2"])"));
}

TEST(V2Documents, WriteModelConfiguration) {
  ModelConfiguration model;
  model.name = "fraud";
  model.platform = "onnx_onnxv1";
  model.backend = "onnxruntime";
  model.inputs = {{"x", DataType::fp32, Shape{-1, 8}}};
  model.outputs = {{"y", DataType::bytes, Shape{-1}}};
  EXPECT_EQ(
      encode_model_configuration(model),
      R"({"name":"fraud","platform":"onnx_onnxv1","backend":"onnxruntime","max_batch_size":0,)"
      R"("input":[{"name":"x","data_type":"TYPE_FP32","dims":[-1,8]}],)"
      R"("output":[{"name":"y","data_type":"TYPE_STRING","dims":[-1]}]})"
  );
}

TEST(V2Documents, WriteTheRepositoryIndex) {
  EXPECT_EQ(encode_repository_index({}), "[]");
  EXPECT_EQ(
      encode_repository_index({{"a", "1", "READY", ""}, {"b", "", "UNAVAILABLE", "unloaded"}}),
      R"([{"name":"a","version":"1","state":"READY","reason":""},)"
      R"({"name":"b","state":"UNAVAILABLE","reason":"unloaded"}])"
  );
}

TEST(V2Documents, ReadTheRequestOfTheIndex) {
  EXPECT_EQ(decode_repository_index("").value(), false);
  EXPECT_EQ(decode_repository_index(" \r\n").value(), false);
  EXPECT_EQ(decode_repository_index("{}").value(), false);
  EXPECT_EQ(decode_repository_index(R"({"ready":true})").value(), true);
  EXPECT_EQ(decode_repository_index(R"({"more":[1],"ready":false})").value(), false);
  for (const char* body : {"[]", "{", R"({"ready":1})", R"({"more":[1,}})", R"({"ready":true}x)"}) {
    EXPECT_FALSE(decode_repository_index(body)) << body;
  }
}

TEST(V2Documents, ReadTheRequestsToLoadAndUnload) {
  EXPECT_TRUE(decode_repository_request("").value().files.empty());
  EXPECT_TRUE(decode_repository_request("{}"));
  EXPECT_TRUE(decode_repository_request(R"({"parameters":null})"));
  EXPECT_FALSE(decode_repository_request(R"({"parameters":{"unload_dependents":false}})")
                   .value()
                   .unload_dependents);
  const auto request = decode_repository_request(
      R"({"parameters":{"config":"{\"backend\":\"x\"}","file:1/model.onnx":"AAEC"}})"
  );
  ASSERT_TRUE(request);
  EXPECT_EQ(request->config, R"({"backend":"x"})");
  ASSERT_EQ(request->files.size(), 1);
  EXPECT_EQ(request->files[0].path, "1/model.onnx");
  EXPECT_EQ(request->files[0].base64, "AAEC");
}

TEST(V2Documents, RefuseBadRequestsToTheRepository) {
  const auto message = [](std::string_view body) {
    const auto request = decode_repository_request(body);
    return request ? std::string("no error") : request.error().message;
  };
  EXPECT_THAT(message("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(message(R"({"parameters":[]})"), HasSubstr("'parameters' must be an object"));
  EXPECT_THAT(message(R"({"parameters":{"config":{}}})"), HasSubstr("'config' must be a string"));
  EXPECT_THAT(message(R"({"parameters":{"unload_dependents":1}})"), HasSubstr("boolean"));
  EXPECT_THAT(message(R"({"parameters":{"verbose":1}})"), HasSubstr("'verbose' is unknown"));
  EXPECT_THAT(message(R"({"parameters":{}}})"), HasSubstr("readable JSON"));
  EXPECT_THAT(message(R"({"parameters":{)"), HasSubstr("readable JSON"));
}

TEST(V2Documents, WriteStatistics) {
  ModelStatistics model;
  model.name = "fraud";
  model.version = "2";
  model.last_inference_ms = 1'700'000'000'000;
  model.inference_count = 9;
  model.execution_count = 2;
  model.success = {2, 300};
  model.fail = {1, 50};
  model.queue = {2, 10};
  model.compute_infer = {2, 200};
  model.batches = {{8, {1, 1}, {1, 150}, {1, 2}}};
  model.memory = {{"CPU", 0, 4096}};
  EXPECT_EQ(
      encode_statistics({model}),
      R"({"model_stats":[{"name":"fraud","version":"2","last_inference":1700000000000,)"
      R"("inference_count":9,"execution_count":2,"inference_stats":{)"
      R"("success":{"count":2,"ns":300},"fail":{"count":1,"ns":50},"queue":{"count":2,"ns":10},)"
      R"("compute_input":{"count":0,"ns":0},"compute_infer":{"count":2,"ns":200},)"
      R"("compute_output":{"count":0,"ns":0},"cache_hit":{"count":0,"ns":0},)"
      R"("cache_miss":{"count":0,"ns":0}},"response_stats":{},)"
      R"("batch_stats":[{"batch_size":8,"compute_input":{"count":1,"ns":1},)"
      R"("compute_infer":{"count":1,"ns":150},"compute_output":{"count":1,"ns":2}}],)"
      R"("memory_usage":[{"type":"CPU","id":0,"byte_size":4096}]}]})"
  );
  EXPECT_EQ(encode_statistics({}), R"({"model_stats":[]})");
}

}  // namespace
}  // namespace weir::protocol
