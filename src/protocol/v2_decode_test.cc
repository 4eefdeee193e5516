#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
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

// The request and the bytes that it may borrow.
struct Decoded {
  std::string body;
  PredictRequest request;
  Result<void> result;

  std::string message() const { return result ? "no error" : result.error().message; }
  const InputTensor& input(std::size_t index = 0) const { return request.inputs[index]; }
  template <class T>
  std::vector<T> values(std::size_t index = 0) const {
    const auto elements = input(index).tensor.values<T>();
    return {elements.begin(), elements.end()};
  }
};

std::unique_ptr<Decoded> decode(
    std::string body,
    std::optional<std::string_view> header = std::nullopt,
    const DecodeOptions& options = {}
) {
  auto decoded = std::make_unique<Decoded>();
  decoded->body = std::move(body);
  // Exactly as long as the body, so that AddressSanitizer sees a step beyond its end.
  decoded->body.shrink_to_fit();
  decoded->result = decode_v2(decoded->body, header, options, decoded->request);
  if (!decoded->result) {
    EXPECT_EQ(decoded->result.error().code, Code::invalid_argument);
  }
  return decoded;
}

// A request with one input 'x'.
std::unique_ptr<Decoded> decode_input(
    std::string_view datatype, std::string_view shape, std::string_view data
) {
  return decode(fmt::format(
      R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape, datatype, data
  ));
}

std::string message_of(std::string_view datatype, std::string_view shape, std::string_view data) {
  return decode_input(datatype, shape, data)->message();
}

TEST(DecodeJson, ReadsEveryDatatype) {
  EXPECT_THAT(
      decode_input("BOOL", "[2]", "[true,false]")->values<bool>(), ElementsAre(true, false)
  );
  EXPECT_THAT(decode_input("UINT8", "[2]", "[0,255]")->values<std::uint8_t>(), ElementsAre(0, 255));
  EXPECT_THAT(
      decode_input("UINT16", "[1]", "[65535]")->values<std::uint16_t>(), ElementsAre(65535)
  );
  EXPECT_THAT(
      decode_input("UINT32", "[1]", "[4294967295]")->values<std::uint32_t>(),
      ElementsAre(4294967295U)
  );
  EXPECT_THAT(
      decode_input("UINT64", "[1]", "[18446744073709551615]")->values<std::uint64_t>(),
      ElementsAre(std::numeric_limits<std::uint64_t>::max())
  );
  EXPECT_THAT(decode_input("INT8", "[1]", "[-128]")->values<std::int8_t>(), ElementsAre(-128));
  EXPECT_THAT(
      decode_input("INT16", "[1]", "[-32768]")->values<std::int16_t>(), ElementsAre(-32768)
  );
  EXPECT_THAT(
      decode_input("INT32", "[1]", "[-2147483648]")->values<std::int32_t>(),
      ElementsAre(std::numeric_limits<std::int32_t>::min())
  );
  EXPECT_THAT(
      decode_input("INT64", "[2]", "[-9223372036854775808,9223372036854775807]")
          ->values<std::int64_t>(),
      ElementsAre(
          std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()
      )
  );
  EXPECT_THAT(decode_input("FP32", "[2]", "[0.1,-2]")->values<float>(), ElementsAre(0.1F, -2.0F));
  EXPECT_THAT(
      decode_input("FP64", "[2]", "[0.1,1e300]")->values<double>(), ElementsAre(0.1, 1e300)
  );
  const auto texts = decode_input("BYTES", "[3]", R"(["a","","\u00e9\u0000\n"])");
  ASSERT_EQ(texts->input().tensor.strings_added(), 3);
  EXPECT_EQ(texts->input().tensor.string(0), "a");
  EXPECT_EQ(texts->input().tensor.string(1), "");
  EXPECT_EQ(texts->input().tensor.string(2), std::string("é\0\n", 4));
}

TEST(DecodeJson, RoundsToFloatByWayOfDouble) {
  // 1 + 2^-24 + 2^-60 is nearest to 1 + 2^-23, but as a double it is exactly halfway, and even
  // is 1.
  const auto decoded = decode_input("FP32", "[1]", "[1.00000005960464477626]");
  EXPECT_EQ(decoded->values<float>()[0], static_cast<float>(1.00000005960464477626));
}

TEST(DecodeJson, GivesTheSameForFlatAndNestedData) {
  const std::vector<float> expected = {1, 2, 3, 4, 5, 6};
  for (const char* data :
       {"[1,2,3,4,5,6]",
        "[[1,2,3],[4,5,6]]",
        " [ [ 1 , 2 , 3 ] ,\n[ 4 , 5 , 6 ] ] ",
        "[[[1,2,3],[4,5,6]]]",
        "[[[1],[2],[3],[4],[5],[6]]]"}) {
    const auto decoded = decode_input("FP32", "[2,3]", data);
    ASSERT_TRUE(decoded->result) << data << ": " << decoded->message();
    EXPECT_EQ(decoded->values<float>(), expected);
    EXPECT_EQ(decoded->input().tensor.shape(), (Shape{2, 3}));
  }
}

TEST(DecodeJson, RefusesNestingThatContradictsTheShape) {
  EXPECT_THAT(
      message_of("FP32", "[2,3]", "[[1,2],[3,4],[5,6]]"),
      AllOf(HasSubstr("input 'x'"), HasSubstr("[3,2]"), HasSubstr("[2,3]"))
  );
  EXPECT_THAT(message_of("FP32", "[2,3]", "[[1,2,3,4,5,6]]"), HasSubstr("nested as [1,6]"));
  EXPECT_THAT(message_of("FP32", "[2,2]", "[[1],[2,3,4]]"), HasSubstr("different lengths"));
  EXPECT_THAT(message_of("FP32", "[2,1]", "[[1],2]"), HasSubstr("mixes"));
  EXPECT_THAT(message_of("FP32", "[2,1]", "[1,[2]]"), HasSubstr("mixes"));
  EXPECT_THAT(message_of("FP32", "[2]", "[[1],[[2]]]"), HasSubstr("mixes"));
}

TEST(DecodeJson, TakesKeysInAnyOrder) {
  for (const char* body :
       {R"({"inputs":[{"data":[1,2],"shape":[2],"datatype":"FP32","name":"x"}],"id":"7"})",
        R"({"id":"7","inputs":[{"datatype":"FP32","data":[1,2],"name":"x","shape":[2]}]})",
        R"({"id":"7","inputs":[{"data":[[1],[2]],"datatype":"FP32","shape":[2],"name":"x"}]})"}) {
    const auto decoded = decode(body);
    ASSERT_TRUE(decoded->result) << decoded->message();
    EXPECT_EQ(decoded->request.id, "7");
    EXPECT_EQ(decoded->input().name, "x");
    EXPECT_THAT(decoded->values<float>(), ElementsAre(1, 2));
  }
  const auto broken =
      decode(R"({"inputs":[{"data":[1,"a"],"shape":[2],"datatype":"FP32","name":"x"}]})");
  EXPECT_THAT(broken->message(), AllOf(HasSubstr("input 'x'"), HasSubstr("element 1")));
}

TEST(DecodeJson, PassesOverUnknownKeys) {
  const auto decoded =
      decode(R"({"new":{"a":[1,{"b":null}]},"inputs":[{"name":"x","shape":[1],"datatype":"FP32",)"
             R"("data":[1],"hint":"fast","parameters":{"content_type":"np"}}],)"
             R"("outputs":[{"name":"y","hint":1}]})");
  EXPECT_TRUE(decoded->result) << decoded->message();
  EXPECT_FALSE(decode(R"({"new":[1,,2],"inputs":[]})")->result);
}

TEST(DecodeJson, TakesNullAndNanAsMissingInFloatingPointInputs) {
  for (const char* data : {"[1,null]", "[1,NaN]", "[1, NaN ]", "[[1],[null]]"}) {
    const auto decoded = decode_input("FP32", "[2]", data);
    ASSERT_TRUE(decoded->result) << decoded->message();
    EXPECT_TRUE(decoded->input().has_missing);
    EXPECT_EQ(decoded->values<float>()[0], 1.0F);
    EXPECT_TRUE(std::isnan(decoded->values<float>()[1]));
  }
  EXPECT_TRUE(decode_input("FP64", "[1]", "[null]")->input().has_missing);
  EXPECT_FALSE(decode_input("FP64", "[1]", "[0]")->input().has_missing);
}

TEST(DecodeJson, TakesInfinityAsANumber) {
  const auto decoded = decode_input("FP32", "[2]", "[Infinity,-Infinity]");
  ASSERT_TRUE(decoded->result) << decoded->message();
  EXPECT_FALSE(decoded->input().has_missing);
  EXPECT_EQ(decoded->values<float>()[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(decoded->values<float>()[1], -std::numeric_limits<float>::infinity());
}

TEST(DecodeJson, RefusesMissingValuesElsewhere) {
  EXPECT_THAT(
      message_of("INT64", "[2]", "[1,null]"),
      AllOf(HasSubstr("input 'x'"), HasSubstr("element 1 is null"), HasSubstr("floating-point"))
  );
  EXPECT_THAT(message_of("INT64", "[1]", "[NaN]"), HasSubstr("element 0"));
  EXPECT_THAT(message_of("BOOL", "[1]", "[null]"), HasSubstr("element 0 is null"));
  EXPECT_THAT(message_of("BYTES", "[1]", "[null]"), HasSubstr("element 0 is null"));
}

TEST(DecodeJson, RefusesElementsOfAnotherType) {
  EXPECT_EQ(
      message_of("FP32", "[2]", "[1,\"2\"]"), "input 'x': element 1 is a string; FP32 holds numbers"
  );
  EXPECT_THAT(message_of("FP32", "[1]", "[true]"), HasSubstr("element 0 is a boolean"));
  EXPECT_THAT(message_of("FP32", "[1]", "[{}]"), HasSubstr("element 0 is an object"));
  EXPECT_EQ(
      message_of("INT64", "[1]", "[1.5]"),
      "input 'x': element 0 is 1.5, which is not an integer; INT64 holds integers"
  );
  EXPECT_THAT(message_of("INT64", "[1]", "[\"1\"]"), HasSubstr("holds integers"));
  EXPECT_THAT(message_of("BOOL", "[1]", "[1]"), HasSubstr("holds true or false"));
  EXPECT_THAT(message_of("BYTES", "[1]", "[1]"), HasSubstr("holds strings"));
  EXPECT_THAT(message_of("FP32", "[1]", "1"), HasSubstr("'data' must be an array"));
}

TEST(DecodeJson, RefusesNumbersOutsideTheRange) {
  EXPECT_EQ(
      message_of("FP64", "[1]", "[1e400]"),
      "input 'x': element 0 is 1e400, which is outside the range of FP64"
  );
  EXPECT_THAT(message_of("FP32", "[1]", "[1e39]"), HasSubstr("outside the range of FP32"));
  EXPECT_THAT(message_of("FP32", "[1]", "[-1e400]"), HasSubstr("outside the range"));
  EXPECT_THAT(message_of("UINT8", "[1]", "[256]"), HasSubstr("256"));
  EXPECT_THAT(message_of("UINT8", "[1]", "[-1]"), HasSubstr("outside the range of UINT8"));
  EXPECT_THAT(message_of("INT8", "[1]", "[128]"), HasSubstr("outside the range of INT8"));
  EXPECT_THAT(message_of("INT64", "[1]", "[9223372036854775808]"), HasSubstr("outside"));
  EXPECT_THAT(message_of("UINT64", "[1]", "[18446744073709551616]"), HasSubstr("outside"));
}

TEST(DecodeJson, NamesBothCountsWhenDataAndShapeDiffer) {
  EXPECT_EQ(
      message_of("FP32", "[1,8]", "[1,2,3,4,5,6,7]"),
      "input 'x': shape [1,8] has 8 elements, but data has 7"
  );
  EXPECT_THAT(message_of("FP32", "[1,2]", "[1,2,3]"), HasSubstr("2 elements, but data has 3"));
  EXPECT_THAT(message_of("BYTES", "[2]", "[\"a\"]"), HasSubstr("2 elements, but data has 1"));
  EXPECT_THAT(message_of("BYTES", "[1]", "[\"a\",\"b\"]"), HasSubstr("data has 2"));
  EXPECT_THAT(message_of("FP32", "[2]", "[]"), HasSubstr("data has 0"));
  EXPECT_TRUE(decode_input("FP32", "[0,8]", "[]")->result);
  EXPECT_TRUE(decode_input("FP32", "[]", "[3]")->result);
}

TEST(DecodeJson, TakesNoMemoryForAShapeThatTheTextCannotFill) {
  const auto decoded = decode_input("FP64", "[60000000]", "[1,2]");
  EXPECT_THAT(decoded->message(), HasSubstr("60000000 elements, but data has 2"));
  EXPECT_LT(decoded->input().tensor.capacity(), 1000);
}

TEST(DecodeJson, RefusesImpossibleShapes) {
  EXPECT_THAT(
      message_of("FP32", "[4294967296,4294967296,4294967296]", "[]"),
      AllOf(HasSubstr("input 'x'"), HasSubstr("too large"))
  );
  EXPECT_THAT(message_of("FP32", "[-1,8]", "[]"), HasSubstr("dimension 0 of the shape is -1"));
  EXPECT_THAT(message_of("FP32", "[1.5]", "[]"), HasSubstr("must be an integer"));
  EXPECT_THAT(message_of("FP32", "8", "[]"), HasSubstr("'shape' must be an array"));
  EXPECT_THAT(message_of("FP32", "[99999999999999999999]", "[]"), HasSubstr("shape"));
  EXPECT_THAT(
      message_of("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"),
      HasSubstr("more than 16 dimensions")
  );
  EXPECT_TRUE(decode_input("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]")->result);
}

TEST(DecodeJson, RefusesUnknownAndBinaryOnlyDatatypes) {
  EXPECT_THAT(message_of("FLOAT", "[1]", "[1]"), AllOf(HasSubstr("'FLOAT'"), HasSubstr("FP32")));
  EXPECT_THAT(message_of("fp32", "[1]", "[1]"), HasSubstr("unknown"));
  EXPECT_THAT(message_of("FP16", "[1]", "[1]"), HasSubstr("binary only"));
  EXPECT_THAT(message_of("BF16", "[1]", "[1]"), HasSubstr("binary only"));
}

TEST(DecodeJson, NamesWhatIsMissing) {
  EXPECT_THAT(decode("")->message(), HasSubstr("is empty"));
  EXPECT_THAT(decode("  ")->message(), HasSubstr("is empty"));
  EXPECT_THAT(decode("[]")->message(), HasSubstr("must be a JSON object"));
  EXPECT_THAT(decode("{}")->message(), HasSubstr("no 'inputs'"));
  EXPECT_THAT(decode(R"({"inputs":[]})")->message(), HasSubstr("no 'inputs'"));
  EXPECT_THAT(decode(R"({"inputs":{}})")->message(), HasSubstr("'inputs' must be an array"));
  EXPECT_THAT(decode(R"({"inputs":[1]})")->message(), HasSubstr("must be an object"));
  EXPECT_THAT(decode(R"({"inputs":[{}]})")->message(), HasSubstr("input 0 has no 'name'"));
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x"}]})")->message(), HasSubstr("input 'x' has no 'datatype'")
  );
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x","datatype":"FP32"}]})")->message(), HasSubstr("no 'shape'")
  );
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})")->message(),
      HasSubstr("no 'data'")
  );
}

TEST(DecodeJson, RefusesTruncatedAndTrailingText) {
  const std::string body =
      R"({"id":"1","inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.5,2.5]}]})";
  ASSERT_TRUE(decode(body)->result);
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(decode(body.substr(0, size))->result) << size;
  }
  EXPECT_THAT(decode(body + "}")->message(), HasSubstr("more text after the end"));
  EXPECT_THAT(decode(body + " x")->message(), HasSubstr("readable JSON"));
  EXPECT_TRUE(decode(body + " \n")->result);
}

TEST(DecodeJson, RefusesDeepNestingAtTheLimit) {
  const auto nested = [](std::size_t depth) {
    return fmt::format(
        R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","data":[1]}}],"more":{}{}}})",
        std::string(depth, '['),
        std::string(depth, ']')
    );
  };
  EXPECT_TRUE(decode(nested(99))->result);
  EXPECT_THAT(decode(nested(100))->message(), HasSubstr("more than 100 levels"));
  EXPECT_THAT(decode(nested(10'000))->message(), HasSubstr("more than 100 levels"));
  EXPECT_FALSE(decode(std::string(1'000'000, '['))->result);
  EXPECT_THAT(
      message_of("FP32", "[1]", std::string(10'000, '[')), HasSubstr("more than 100 levels")
  );
}

TEST(DecodeJson, RefusesWhatIsGivenTwice) {
  const std::string input = R"({"name":"x","shape":[1],"datatype":"FP32","data":[1]})";
  EXPECT_THAT(
      decode(fmt::format(R"({{"inputs":[{},{}]}})", input, input))->message(),
      HasSubstr("input 'x' is given twice")
  );
  EXPECT_THAT(
      decode(fmt::format(R"({{"inputs":[{}],"inputs":[{}]}})", input, input))->message(),
      HasSubstr("'inputs' is given twice")
  );
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"data":[2]}]})")
          ->message(),
      HasSubstr("input 'x': 'data' is given twice")
  );
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x","shape":[1],"shape":[2],"datatype":"FP32","data":[1]}]})")
          ->message(),
      HasSubstr("'shape' is given twice")
  );
  EXPECT_THAT(
      decode(fmt::format(R"({{"inputs":[{}],"outputs":[{{"name":"y"}},{{"name":"y"}}]}})", input))
          ->message(),
      HasSubstr("output 'y' is asked for twice")
  );
}

TEST(DecodeJson, KeepsToItsLimits) {
  DecodeOptions options;
  options.max_inputs = 2;
  options.max_elements = 4;
  options.max_name_bytes = 3;
  const auto body = [](std::size_t inputs, std::string_view id = "1") {
    std::string text;
    for (std::size_t index = 0; index < inputs; ++index) {
      text += fmt::format(
          R"({}{{"name":"x{}","shape":[2],"datatype":"FP32","data":[1,2]}})",
          index == 0 ? "" : ",",
          index
      );
    }
    return fmt::format(R"({{"id":"{}","inputs":[{}]}})", id, text);
  };
  EXPECT_TRUE(decode(body(2), std::nullopt, options)->result);
  EXPECT_THAT(decode(body(3), std::nullopt, options)->message(), HasSubstr("more than 2 inputs"));
  options.max_elements = 3;
  EXPECT_THAT(decode(body(2), std::nullopt, options)->message(), HasSubstr("at most 3 elements"));
  EXPECT_TRUE(decode(body(1, "123"), std::nullopt, options)->result);
  EXPECT_THAT(
      decode(body(1, "1234"), std::nullopt, options)->message(),
      HasSubstr("'id' has 4 bytes; at most 3")
  );
}

TEST(DecodeJson, ReadsTheRequestedOutputs) {
  const auto decoded =
      decode(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[)"
             R"({"name":"b"},{"name":"a","parameters":{"binary_data":false}},)"
             R"({"parameters":{"binary_data":true},"name":"c"}]})");
  ASSERT_TRUE(decoded->result) << decoded->message();
  const auto& outputs = decoded->request.outputs;
  ASSERT_EQ(outputs.size(), 3);
  EXPECT_EQ(outputs[0].name, "b");
  EXPECT_EQ(outputs[0].binary, std::nullopt);
  EXPECT_EQ(outputs[1].name, "a");
  EXPECT_EQ(outputs[1].binary, false);
  EXPECT_EQ(outputs[2].name, "c");
  EXPECT_EQ(outputs[2].binary, true);
}

TEST(DecodeJson, RefusesParametersThatWouldChangeTheMeaning) {
  const auto with_output = [](std::string_view parameters) {
    return decode(fmt::format(
                      R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","data":[1]}}],)"
                      R"("outputs":[{{"name":"y","parameters":{}}}]}})",
                      parameters
                  ))
        ->message();
  };
  EXPECT_THAT(
      with_output(R"({"classification":3})"),
      AllOf(HasSubstr("output 'y'"), HasSubstr("classification"))
  );
  EXPECT_THAT(with_output(R"({"shared_memory_region":"r"})"), HasSubstr("shared memory"));
  EXPECT_THAT(with_output(R"({"binary_data":1})"), HasSubstr("'binary_data' must be a boolean"));
  EXPECT_THAT(
      decode(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32",)"
             R"("parameters":{"shared_memory_region":"r"}}]})")
          ->message(),
      AllOf(HasSubstr("input 'x'"), HasSubstr("shared memory"))
  );
}

TEST(DecodeJson, TakesNullForWhatIsLeftOut) {
  const auto decoded =
      decode(R"({"id":null,"parameters":null,"outputs":null,"inputs":[{"name":"x","shape":[1],)"
             R"("datatype":"FP32","parameters":null,"data":[1]}]})");
  EXPECT_TRUE(decoded->result) << decoded->message();
}

TEST(DecodeJson, ForgetsTheRequestBefore) {
  PredictRequest request;
  const std::string first =
      R"({"id":"1","parameters":{"timeout":5,"a":1,"weir-routing-key":"k"},"inputs":[)"
      R"({"name":"x","shape":[1],"datatype":"FP32","data":[null]},)"
      R"({"name":"y","shape":[1],"datatype":"BYTES","data":["text"]}],"outputs":[{"name":"z"}]})";
  const std::string second =
      R"({"inputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[2]}]})";
  ASSERT_TRUE(decode_v2(first, std::nullopt, {}, request));
  ASSERT_TRUE(decode_v2(second, std::nullopt, {}, request));
  EXPECT_EQ(request.id, "");
  EXPECT_EQ(request.input_count, 1);
  EXPECT_EQ(request.inputs[0].name, "y");
  EXPECT_FALSE(request.inputs[0].has_missing);
  EXPECT_EQ(request.timeout_us, std::nullopt);
  EXPECT_EQ(request.routing_key, "");
  EXPECT_TRUE(request.parameters.empty());
  EXPECT_TRUE(request.outputs.empty());
}

}  // namespace
}  // namespace weir::protocol
