#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpc_service.pb.h>
#include <gtest/gtest.h>

#include "protocol/v2_protobuf.h"

// Our decoder and encoder of the two messages of a prediction against the generated classes.

namespace weir::protocol {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using testing::HasSubstr;

struct Decoded {
  PredictRequest request;
  Result<void> result;
  std::string message() const { return result ? "no error" : result.error().message; }
};

Decoded decode_bytes(const std::string& bytes, const DecodeOptions& options = {}) {
  Decoded decoded;
  decoded.result = decode_infer_request(bytes, options, decoded.request);
  EXPECT_TRUE(decoded.result || decoded.result.error().code == Code::invalid_argument);
  return decoded;
}

Decoded decode(const ModelInferRequest& message, const DecodeOptions& options = {}) {
  return decode_bytes(message.SerializeAsString(), options);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

ModelInferRequest::InferInputTensor& add_input(
    ModelInferRequest& message, const char* datatype, std::initializer_list<std::int64_t> shape
) {
  auto& input = *message.add_inputs();
  input.set_name("x" + std::to_string(message.inputs_size()));
  input.set_datatype(datatype);
  for (const std::int64_t size : shape) input.add_shape(size);
  return input;
}

ModelInferRequest raw_request() {
  ModelInferRequest message;
  add_input(message, "FP32", {1, 2});
  message.add_raw_input_contents(bytes_of<float>({1.5F, -2}));
  return message;
}

TEST(InferRequest, RawTensorsAreTheirBytes) {
  ModelInferRequest message = raw_request();
  message.set_model_name("m");
  message.set_model_version("7");
  message.set_id("abc");
  add_input(message, "BYTES", {2});
  message.add_raw_input_contents(std::string("\1\0\0\0a\0\0\0\0", 9));
  message.add_outputs()->set_name("y");
  const std::string bytes = message.SerializeAsString();
  const auto model = read_model_name(bytes, {});
  ASSERT_TRUE(model);
  EXPECT_EQ(model->name, "m");
  EXPECT_EQ(model->version, "7");
  const Decoded decoded = decode_bytes(bytes);
  ASSERT_TRUE(decoded.result) << decoded.message();
  const PredictRequest& request = decoded.request;
  EXPECT_EQ(request.id, "abc");
  EXPECT_TRUE(request.binary_output);
  ASSERT_EQ(request.input_count, 2U);
  EXPECT_EQ(request.inputs[0].name, "x1");
  EXPECT_EQ(request.inputs[0].tensor.shape(), Shape({1, 2}));
  EXPECT_EQ(request.inputs[0].tensor.values<float>()[1], -2);
  EXPECT_EQ(request.inputs[1].tensor.string(0), "a");
  EXPECT_EQ(request.inputs[1].tensor.string(1), "");
  ASSERT_EQ(request.outputs.size(), 1U);
  EXPECT_EQ(request.outputs[0].name, "y");
  EXPECT_FALSE(request.outputs[0].binary.has_value());
}

// One input of the datatype with these elements, typed, and the same elements raw.
template <class T, class Add>
void expect_typed_is_raw(const char* datatype, const std::vector<T>& values, Add add) {
  ModelInferRequest typed;
  auto& input = add_input(typed, datatype, {static_cast<std::int64_t>(values.size())});
  for (const T value : values) add(*input.mutable_contents(), value);
  const Decoded decoded = decode(typed);
  ASSERT_TRUE(decoded.result) << decoded.message();
  const auto raw = decoded.request.inputs[0].tensor.raw();
  const std::string bytes(reinterpret_cast<const char*>(raw.data()), raw.size());
  EXPECT_EQ(bytes, bytes_of(values)) << datatype;
}

TEST(InferRequest, TypedContentsOfEveryDatatypeAreTheSameAsRaw) {
  using Contents = inference::InferTensorContents;
  const auto add_int = [](Contents& to, auto value) { to.add_int_contents(value); };
  const auto add_uint = [](Contents& to, auto value) { to.add_uint_contents(value); };
  expect_typed_is_raw<std::uint8_t>("BOOL", {1, 0, 1}, [](Contents& to, std::uint8_t value) {
    to.add_bool_contents(value != 0);
  });
  expect_typed_is_raw<std::int8_t>("INT8", {-128, 0, 127}, add_int);
  expect_typed_is_raw<std::int16_t>("INT16", {-32768, 0, 32767}, add_int);
  expect_typed_is_raw<std::int32_t>("INT32", {INT32_MIN, -1, INT32_MAX}, add_int);
  expect_typed_is_raw<std::int64_t>(
      "INT64",
      {INT64_MIN, -1, INT64_MAX},
      [](Contents& to, auto value) { to.add_int64_contents(value); }
  );
  expect_typed_is_raw<std::uint8_t>("UINT8", {0, 255}, add_uint);
  expect_typed_is_raw<std::uint16_t>("UINT16", {0, 65535}, add_uint);
  expect_typed_is_raw<std::uint32_t>("UINT32", {0, UINT32_MAX}, add_uint);
  expect_typed_is_raw<std::uint64_t>("UINT64", {0, UINT64_MAX}, [](Contents& to, auto value) {
    to.add_uint64_contents(value);
  });
  expect_typed_is_raw<float>("FP32", {1.5F, -0.0F, INFINITY}, [](Contents& to, float value) {
    to.add_fp32_contents(value);
  });
  expect_typed_is_raw<double>("FP64", {1e300, -2, 0.1}, [](Contents& to, double value) {
    to.add_fp64_contents(value);
  });
}

TEST(InferRequest, NotANumberIsAMissingValueInBothForms) {
  ModelInferRequest typed;
  add_input(typed, "FP32", {1}).mutable_contents()->add_fp32_contents(NAN);
  EXPECT_TRUE(decode(typed).request.inputs[0].has_missing);
  ModelInferRequest raw;
  add_input(raw, "FP64", {1});
  raw.add_raw_input_contents(bytes_of<double>({NAN}));
  EXPECT_TRUE(decode(raw).request.inputs[0].has_missing);
  EXPECT_FALSE(decode(raw_request()).request.inputs[0].has_missing);
}

TEST(InferRequest, TakesParametersByTheirTypes) {
  ModelInferRequest message = raw_request();
  auto& parameters = *message.mutable_parameters();
  parameters["timeout"].set_int64_param(1500);
  parameters["priority"].set_uint64_param(std::numeric_limits<std::uint64_t>::max());
  parameters["sequence_id"].set_string_param("s");
  parameters["own"].set_double_param(0.5);
  parameters["binary_data_output"].set_bool_param(false);
  parameters["nothing"];
  const Decoded decoded = decode(message);
  ASSERT_TRUE(decoded.result) << decoded.message();
  EXPECT_EQ(decoded.request.timeout_us, 1500);
  EXPECT_EQ(decoded.request.priority, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(decoded.request.parameters.size(), 2U);
  EXPECT_FALSE(decoded.request.binary_output);
  parameters["timeout"].set_string_param("1");
  EXPECT_THAT(decode(message).message(), HasSubstr("'timeout' must be a number, not a string"));
}

TEST(InferRequest, RefusesContentsThatDoNotFit) {
  ModelInferRequest both = raw_request();
  both.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(
      decode(both).message(),
      HasSubstr("contents field must not be specified when using raw_input_contents")
  );
  ModelInferRequest half;
  add_input(half, "FP16", {1}).mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(decode(half).message(), HasSubstr("FP16, which has no typed contents"));
  ModelInferRequest other;
  add_input(other, "FP32", {1}).mutable_contents()->add_int_contents(1);
  EXPECT_THAT(decode(other).message(), HasSubstr("FP32 belongs into fp32_contents"));
  ModelInferRequest few;
  add_input(few, "FP32", {2}).mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(decode(few).message(), HasSubstr("2 elements, but fp32_contents has 1"));
  ModelInferRequest wide;
  add_input(wide, "INT8", {1}).mutable_contents()->add_int_contents(128);
  EXPECT_THAT(decode(wide).message(), HasSubstr("out of the range of INT8"));
  ModelInferRequest shorter = raw_request();
  shorter.set_raw_input_contents(0, "1234567");
  EXPECT_THAT(decode(shorter).message(), HasSubstr("7 bytes"));
  ModelInferRequest more = raw_request();
  more.add_raw_input_contents("");
  EXPECT_THAT(decode(more).message(), HasSubstr("1 inputs, but 2 entries"));
  ModelInferRequest fewer = raw_request();
  auto& second = add_input(fewer, "FP32", {1, 2});
  EXPECT_THAT(decode(fewer).message(), HasSubstr("2 inputs, but 1 entries"));
  // Clients leave the contents out when they lie in shared memory: that is what they must hear of.
  (*second.mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_THAT(decode(fewer).message(), HasSubstr("shared memory is not supported"));
}

TEST(InferRequest, TakesFieldsInAnyOrderSplitAndUnpacked) {
  // contents {fp32_contents: 1, unpacked}, contents {fp32_contents: [2], packed}, shape: 2
  // unpacked, datatype, name, an unknown field.
  const std::string input = std::string("\x2a\x05\x35\x00\x00\x80\x3f", 7) +
                            std::string("\x2a\x06\x32\x04\x00\x00\x00\x40", 8) +
                            "\x18\x02\x12\x04" + "FP32" + "\x0a\x01" + "x" + "\xf8\x01\x07";
  const Decoded decoded =
      decode_bytes("\x2a" + std::string(1, static_cast<char>(input.size())) + input);
  ASSERT_TRUE(decoded.result) << decoded.message();
  EXPECT_EQ(decoded.request.inputs[0].tensor.values<float>()[0], 1);
  EXPECT_EQ(decoded.request.inputs[0].tensor.values<float>()[1], 2);
}

TEST(InferRequest, EveryCutAndEveryFlippedBitIsReadOrRefused) {
  ModelInferRequest message = raw_request();
  message.set_model_name("m");
  (*message.mutable_parameters())["timeout"].set_int64_param(5);
  const std::string whole = message.SerializeAsString();
  for (std::size_t size = 0; size < whole.size(); ++size) decode_bytes(whole.substr(0, size));
  for (std::size_t at = 0; at < whole.size() * 8; ++at) {
    std::string changed = whole;
    changed[at / 8] = static_cast<char>(changed[at / 8] ^ (1 << at % 8));
    if (decode_bytes(changed).result && read_model_name(changed, {})) {
      EXPECT_TRUE(ModelInferRequest().ParseFromString(changed)) << at;
    }
  }
}

TEST(InferRequest, KeepsToItsLimits) {
  ModelInferRequest message = raw_request();
  EXPECT_TRUE(decode(message, {.max_elements = 2}).result);
  EXPECT_FALSE(decode(message, {.max_elements = 1}).result);
  EXPECT_TRUE(decode(message, {.max_inputs = 1}).result);
  add_input(message, "FP32", {0});
  message.add_raw_input_contents("");
  EXPECT_TRUE(decode(message, {.max_inputs = 2}).result);
  EXPECT_THAT(decode(message, {.max_inputs = 1}).message(), HasSubstr("more than 1 inputs"));
  message.set_id("12345");
  EXPECT_TRUE(decode(message, {.max_name_bytes = 5}).result);
  EXPECT_FALSE(decode(message, {.max_name_bytes = 4}).result);
}

Tensor tensor_of(DataType datatype, const Shape& shape) {
  Tensor tensor;
  tensor.reset(datatype, shape);
  return tensor;
}

TEST(InferResponse, RawOutputsHaveOneEntryEachAndNoContents) {
  Tensor numbers = tensor_of(DataType::int64, {2, 1});
  numbers.values<std::int64_t>()[0] = -5;
  numbers.values<std::int64_t>()[1] = 6;
  Tensor texts = tensor_of(DataType::bytes, {1});
  texts.add_string("é");
  const Tensor nothing = tensor_of(DataType::fp32, {0, 3});
  PredictResponse response{
      .model_name = "m", .model_version = "3", .id = "i", .arm = "primary", .decision = "answered"};
  response.outputs = {{"a", &numbers, true}, {"b", &texts, true}, {"c", &nothing, true}};
  std::string bytes;
  ASSERT_TRUE(encode_infer_response(response, bytes));
  ModelInferResponse read;
  ASSERT_TRUE(read.ParseFromString(bytes));
  EXPECT_EQ(read.model_name(), "m");
  EXPECT_EQ(read.model_version(), "3");
  EXPECT_EQ(read.id(), "i");
  EXPECT_EQ(read.parameters().at("weir_arm").string_param(), "primary");
  EXPECT_EQ(read.parameters().at("weir_version").string_param(), "3");
  ASSERT_EQ(read.outputs_size(), 3);
  ASSERT_EQ(read.raw_output_contents_size(), 3);
  EXPECT_FALSE(read.outputs(0).has_contents());
  EXPECT_THAT(read.outputs(0).shape(), testing::ElementsAre(2, 1));
  EXPECT_EQ(read.raw_output_contents(0), bytes_of<std::int64_t>({-5, 6}));
  EXPECT_EQ(read.raw_output_contents(1), std::string("\2\0\0\0é", 6));
  EXPECT_EQ(read.raw_output_contents(2), "");
}

TEST(InferResponse, TypedOutputsOfEveryDatatypeComeBackThroughTheDecoder) {
  std::mt19937_64 random(1);
  for (int kind = 0; kind <= static_cast<int>(DataType::bytes); ++kind) {
    const auto datatype = static_cast<DataType>(kind);
    Tensor tensor = tensor_of(datatype, {3});
    if (datatype == DataType::bytes) {
      for (const char* text : {"", "a", "\xff"}) tensor.add_string(text);
    } else {
      for (std::byte& byte : tensor.raw()) byte = static_cast<std::byte>(random());
      if (datatype == DataType::boolean) {
        for (std::byte& byte : tensor.raw()) byte &= std::byte{1};
      }
    }
    PredictResponse response{.model_name = "m"};
    response.outputs = {{"y", &tensor, false}};
    std::string bytes;
    const Result<void> encoded = encode_infer_response(response, bytes);
    if (datatype == DataType::fp16 || datatype == DataType::bf16) {
      EXPECT_EQ(encoded.error().code, Code::invalid_argument);
      EXPECT_TRUE(bytes.empty());
      continue;
    }
    ModelInferResponse read;
    ASSERT_TRUE(encoded && read.ParseFromString(bytes));
    EXPECT_EQ(read.raw_output_contents_size(), 0);
    ModelInferRequest back;
    ASSERT_TRUE(back.add_inputs()->ParseFromString(read.outputs(0).SerializeAsString()));
    const Decoded decoded = decode(back);
    ASSERT_TRUE(decoded.result) << decoded.message();
    const auto raw = decoded.request.inputs[0].tensor.raw();
    EXPECT_TRUE(std::ranges::equal(raw, tensor.raw())) << to_string(datatype);
  }
}

TEST(InferResponse, RawAndTypedDoNotMix) {
  const Tensor tensor = tensor_of(DataType::fp32, {1});
  PredictResponse response{.model_name = "m"};
  response.outputs = {{"a", &tensor, true}, {"b", &tensor, false}};
  std::string bytes;
  EXPECT_THAT(encode_infer_response(response, bytes).error().message, HasSubstr("'b' as typed"));
}

}  // namespace
}  // namespace weir::protocol
