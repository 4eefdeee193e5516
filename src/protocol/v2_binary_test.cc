#include "protocol/v2_binary.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/v2.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// An element of BYTES.
std::string element(std::string_view text) {
  return bytes_of(std::vector<std::uint32_t>{static_cast<std::uint32_t>(text.size())}) +
         std::string(text);
}

struct Case {
  PredictRequest request;
  Result<void> result;
  std::string message() const { return result ? "no error" : result.error().message; }
};

// The JSON and then the tensors, with the header that says so.
Case decode(const std::string& json, const std::string& tensors) {
  Case outcome;
  const std::string body = json + tensors;
  outcome.result = decode_v2(body, std::to_string(json.size()), {}, outcome.request);
  return outcome;
}

std::string input(
    std::string_view name, std::string_view shape, std::string_view datatype, std::uint64_t size
) {
  return fmt::format(
      R"({{"name":"{}","shape":{},"datatype":"{}","parameters":{{"binary_data_size":{}}}}})",
      name,
      shape,
      datatype,
      size
  );
}

std::string request_of(const std::string& inputs) {
  return R"({"inputs":[)" + inputs + "]}";
}

TEST(DecodeBinary, ReadsTensorsInTheOrderOfTheInputs) {
  // The example of the specification: 16 and 3 bytes.
  const auto decoded = decode(
      request_of(input("a", "[2,2]", "UINT32", 16) + "," + input("b", "[3]", "BOOL", 3)),
      bytes_of<std::uint32_t>({1, 2, 3, 4}) + std::string("\1\0\1", 3)
  );
  ASSERT_TRUE(decoded.result) << decoded.message();
  ASSERT_EQ(decoded.request.input_count, 2);
  EXPECT_THAT(decoded.request.inputs[0].tensor.values<std::uint32_t>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(decoded.request.inputs[1].tensor.values<bool>(), ElementsAre(true, false, true));
}

TEST(DecodeBinary, LetsJsonInputsTakeNoBytes) {
  const auto decoded = decode(
      request_of(
          input("a", "[1]", "FP64", 8) +
          R"(,{"name":"b","shape":[1],"datatype":"INT64","data":[7]},)" +
          input("c", "[1]", "INT16", 2)
      ),
      bytes_of<double>({0.5}) + bytes_of<std::int16_t>({-3})
  );
  ASSERT_TRUE(decoded.result) << decoded.message();
  EXPECT_THAT(decoded.request.inputs[0].tensor.values<double>(), ElementsAre(0.5));
  EXPECT_THAT(decoded.request.inputs[1].tensor.values<std::int64_t>(), ElementsAre(7));
  EXPECT_THAT(decoded.request.inputs[2].tensor.values<std::int16_t>(), ElementsAre(-3));
}

TEST(DecodeBinary, ReadsWhatPythonClientsSendByDefault) {
  const std::string json =
      R"({"id":"","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32",)"
      R"("parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}})";
  const auto decoded = decode(json, bytes_of<float>({1, 2}));
  ASSERT_TRUE(decoded.result) << decoded.message();
  EXPECT_TRUE(decoded.request.binary_output);
  EXPECT_TRUE(decoded.request.outputs.empty());
}

TEST(DecodeBinary, ReadsElementsOfAnyLengthAndContent) {
  const std::string tensors =
      element("") + element(std::string("\0", 1)) + element("\xFF\xFE") + element("text");
  const auto decoded = decode(request_of(input("x", "[4]", "BYTES", tensors.size())), tensors);
  ASSERT_TRUE(decoded.result) << decoded.message();
  const auto& tensor = decoded.request.inputs[0].tensor;
  ASSERT_EQ(tensor.strings_added(), 4);
  EXPECT_EQ(tensor.string(0), "");
  EXPECT_EQ(tensor.string(1), std::string_view("\0", 1));
  EXPECT_EQ(tensor.string(2), "\xFF\xFE");
  EXPECT_EQ(tensor.string(3), "text");
}

TEST(DecodeBinary, RefusesElementsBeyondTheEnd) {
  const std::string tensors = bytes_of<std::uint32_t>({4}) + "abc";
  EXPECT_THAT(
      decode(request_of(input("x", "[1]", "BYTES", 7)), tensors).message(),
      AllOf(HasSubstr("input 'x'"), HasSubstr("element 0 reaches beyond the end"))
  );
  const std::string huge = bytes_of<std::uint32_t>({0xFFFFFFFF}) + "abc";
  EXPECT_THAT(
      decode(request_of(input("x", "[1]", "BYTES", 7)), huge).message(), HasSubstr("beyond the end")
  );
  EXPECT_THAT(
      decode(request_of(input("x", "[1]", "BYTES", 3)), "abc").message(),
      HasSubstr("beyond the end")
  );
}

TEST(DecodeBinary, NamesBothCountsOfElements) {
  const std::string tensors = element("a") + element("b");
  EXPECT_THAT(
      decode(request_of(input("x", "[3]", "BYTES", tensors.size())), tensors).message(),
      AllOf(HasSubstr("3 elements"), HasSubstr("hold 2"))
  );
  EXPECT_THAT(
      decode(request_of(input("x", "[1]", "BYTES", tensors.size())), tensors).message(),
      HasSubstr("hold 2")
  );
  EXPECT_TRUE(decode(request_of(input("x", "[0]", "BYTES", 0)), "").result);
}

TEST(DecodeBinary, RefusesTooFewAndTooManyBytes) {
  const std::string json = request_of(input("x", "[2]", "FP32", 8));
  EXPECT_TRUE(decode(json, std::string(8, '\0')).result);
  EXPECT_THAT(
      decode(json, std::string(7, '\0')).message(),
      AllOf(HasSubstr("binary_data_size is 8"), HasSubstr("7 bytes are left"))
  );
  EXPECT_THAT(decode(json, std::string(9, '\0')).message(), HasSubstr("1 bytes are left over"));
  EXPECT_THAT(
      decode(request_of(input("x", "[2]", "FP32", 4)), std::string(4, '\0')).message(),
      AllOf(HasSubstr("input 'x'"), HasSubstr("2 elements of 4 bytes"), HasSubstr("4 bytes"))
  );
  EXPECT_FALSE(decode(request_of(input("x", "[2]", "FP32", 9)), std::string(9, '\0')).result);
  EXPECT_FALSE(
      decode(request_of(input("x", "[2]", "FP32", std::numeric_limits<std::uint64_t>::max())), "")
          .result
  );
}

TEST(DecodeBinary, RefusesABoolThatIsNeitherZeroNorOne) {
  EXPECT_THAT(
      decode(request_of(input("x", "[2]", "BOOL", 2)), "\1\2").message(),
      HasSubstr("BOOL element 1 is 2")
  );
}

TEST(DecodeBinary, FindsMissingValuesInFloatingPointTensors) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto has_missing = [](std::string_view datatype, const std::string& tensors) {
    const std::size_t size = tensors.size();
    const std::size_t count = size / tensor::element_size(*tensor::parse_datatype(datatype));
    const auto decoded =
        decode(request_of(input("x", fmt::format("[{}]", count), datatype, size)), tensors);
    EXPECT_TRUE(decoded.result) << decoded.message();
    return decoded.request.inputs[0].has_missing;
  };
  EXPECT_TRUE(has_missing("FP64", bytes_of<double>({1, nan})));
  EXPECT_FALSE(has_missing("FP64", bytes_of<double>({1, INFINITY})));
  EXPECT_TRUE(has_missing("FP32", bytes_of<float>({1, static_cast<float>(nan), 2})));
  EXPECT_FALSE(has_missing("FP32", bytes_of<float>({1, -INFINITY})));
  EXPECT_TRUE(has_missing("FP16", bytes_of<std::uint16_t>({0x3C00, 0xFE00})));
  EXPECT_FALSE(has_missing("FP16", bytes_of<std::uint16_t>({0x7C00, 0xFC00})));
  EXPECT_TRUE(has_missing("BF16", bytes_of<std::uint16_t>({0x7FC0})));
  EXPECT_FALSE(has_missing("BF16", bytes_of<std::uint16_t>({0x7F80, 0x7C01})));
}

TEST(DecodeBinary, RefusesAnInputWithBothFormsOrWithoutTheHeader) {
  const std::string both = R"({"name":"x","shape":[1],"datatype":"INT8","data":[1],)"
                           R"("parameters":{"binary_data_size":1}})";
  EXPECT_THAT(decode(request_of(both), "a").message(), HasSubstr("both 'data' and"));
  PredictRequest request;
  const std::string json = request_of(input("x", "[1]", "INT8", 1));
  const auto result = decode_v2(json, std::nullopt, {}, request);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("Inference-Header-Content-Length"));
  EXPECT_THAT(
      decode(
          request_of(
              R"({"name":"x","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":"1"}})"
          ),
          "a"
      )
          .message(),
      HasSubstr("'binary_data_size' must be a number")
  );
}

TEST(DecodeBinary, RefusesAHeaderThatIsNotALength) {
  const std::string body = request_of(R"({"name":"x","shape":[1],"datatype":"INT8","data":[1]})");
  const auto message = [&](std::string_view header) {
    PredictRequest request;
    const auto result = decode_v2(body, header, {}, request);
    return result ? std::string("no error") : result.error().message;
  };
  EXPECT_EQ(message(std::to_string(body.size())), "no error");
  EXPECT_EQ(message(" " + std::to_string(body.size()) + "\t"), "no error");
  for (const std::string& header :
       {std::string("-1"),
        std::string("abc"),
        std::string(""),
        std::string("1.5"),
        std::string("+5"),
        std::string("0x5"),
        std::to_string(body.size() + 1),
        std::string("99999999999999999999"),
        std::to_string(body.size()) + ";"}) {
    EXPECT_THAT(message(header), HasSubstr("Inference-Header-Content-Length")) << header;
  }
}

TEST(DecodeBinary, KeepsTheWholeBodyOfARawRequest) {
  const std::string body = "raw bytes, perhaps {not JSON";
  for (const std::string_view header : {"0", "00", " 0 "}) {
    PredictRequest request;
    ASSERT_TRUE(decode_v2(body, header, {}, request));
    EXPECT_TRUE(request.raw);
    EXPECT_TRUE(request.binary_output);
    EXPECT_EQ(request.raw_body, body);
    EXPECT_EQ(request.input_count, 0);
  }
}

TEST(FillFromBinary, RefusesAShapeThatIsNotOne) {
  InputTensor tensor;
  tensor.name = "x";
  EXPECT_FALSE(fill_from_binary("", DataType::fp32, Shape{-1, 8}, tensor));
  EXPECT_FALSE(fill_from_binary("", DataType::fp32, Shape{1LL << 40, 1LL << 40}, tensor));
  const auto result = fill_from_binary("abcd", DataType::fp32, Shape{1LL << 40}, tensor);
  ASSERT_FALSE(result);
  EXPECT_LT(tensor.tensor.capacity(), 1000);
  EXPECT_TRUE(fill_from_binary("abcd", DataType::fp32, Shape{1}, tensor));
  EXPECT_TRUE(fill_from_binary("abcd", DataType::fp32, Shape{}, tensor));
}

TEST(AppendBinary, IsTheOppositeOfFilling) {
  InputTensor source;
  InputTensor target;
  const std::string numbers = bytes_of<std::int64_t>({1, -2, 3});
  ASSERT_TRUE(fill_from_binary(numbers, DataType::int64, Shape{3}, source));
  std::string bytes;
  append_binary(source.tensor, bytes);
  EXPECT_EQ(bytes, numbers);
  EXPECT_EQ(binary_size(source.tensor), bytes.size());

  const std::string texts = element("a") + element("") + element("longer");
  ASSERT_TRUE(fill_from_binary(texts, DataType::bytes, Shape{3}, target));
  bytes.clear();
  append_binary(target.tensor, bytes);
  EXPECT_EQ(bytes, texts);
  EXPECT_EQ(binary_size(target.tensor), bytes.size());
}

}  // namespace
}  // namespace weir::protocol
