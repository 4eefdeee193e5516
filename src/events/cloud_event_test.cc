#include "events/cloud_event.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "serve/record_columns.h"
#include "serve/test_session.h"

namespace weir::events {
namespace {

using serve::RecordRequest;

// A request of two rows, (1, 2) and (3, NaN), to a model that adds.
class ARequest : public testing::Test {
 protected:
  ARequest() : made_(serve::make_test_version(7)), records_(made_.version->layout().specs()) {
    inputs_[0].reset(tensor::DataType::fp32, tensor::Shape{2, 2});
    const float values[] = {1, 2, 3, NAN};
    std::copy(std::begin(values), std::end(values), inputs_[0].values<float>().begin());
    outputs_[0].reset(tensor::DataType::fp32, tensor::Shape{2, 1});
    outputs_[0].values<float>()[0] = 3;
    outputs_[0].values<float>()[1] = NAN;
  }

  void record(std::string_view id, std::string_view arm, std::string_view error = {}) {
    RecordRequest request;
    request.version = made_.version;
    request.rows = 2;
    request.head.id = id;
    request.head.recorded_at = 1'000'000;
    request.head.latency_us = 500;
    request.head.arm = arm;
    request.head.is_error = !error.empty();
    request.head.error = error;
    request.head.decision = error.empty() ? "answered" : "";
    if (error.empty()) request.inputs = inputs_;
    if (error.empty()) request.outputs = outputs_;
    serve::append_rows(request, 0, 2, records_);
  }

  static std::string header(const RecordReader::Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "none";
  }

  serve::TestVersion made_;
  std::array<tensor::Tensor, 1> inputs_;
  std::array<tensor::Tensor, 1> outputs_;
  tensor::Columns records_;
};

TEST_F(ARequest, IsWrittenAsTheTensorsThatItWas) {
  record("a", "primary");
  record("b", "candidate");
  const RecordReader reader(*made_.version);
  ASSERT_EQ(RecordReader::end_of_request(records_, 0), 2U);
  ASSERT_EQ(RecordReader::end_of_request(records_, 2), 4U);
  EXPECT_EQ(
      reader.request_body(records_, 0, 2),
      R"({"id":"a","inputs":[{"name":"x","datatype":"FP32","data":[1.0,2.0,3.0,null],)"
      R"("shape":[2,2]}]})"
  );
  EXPECT_EQ(
      reader.response_body(records_, 0, 2),
      R"({"id":"a","model_name":"e","model_version":"7","outputs":[{"name":"y",)"
      R"("datatype":"FP32","data":[3.0,null],"shape":[2,1]}]})"
  );
  EXPECT_EQ(header(reader.headers(records_, 0), "ce-endpoint"), "default");
  EXPECT_EQ(header(reader.headers(records_, 2), "ce-endpoint"), "canary");
  EXPECT_EQ(header(reader.headers(records_, 2), "ce-id"), "b");
  EXPECT_EQ(header(reader.headers(records_, 0), "ce-metadata"), "none");
  EXPECT_EQ(RecordReader::times(records_, 0).second, 1'000'500);
}

TEST_F(ARequest, ThatFailedSaysSoAndShadowsAreNoAnswers) {
  record("a", "primary", "deadline");
  record("b", "shadow");
  const RecordReader reader(*made_.version);
  EXPECT_TRUE(RecordReader::is_answer(records_, 0));
  EXPECT_FALSE(RecordReader::is_answer(records_, 2));
  EXPECT_EQ(
      reader.response_body(records_, 0, 2),
      R"({"id":"a","model_name":"e","model_version":"7","error":"deadline"})"
  );
  EXPECT_EQ(header(reader.headers(records_, 0), "ce-weirerror"), "deadline");
}

TEST(HeaderValue, HoldsNothingThatCouldEndIt) {
  EXPECT_EQ(header_value("a-1:ä\r\n \"%"), "a-1:%C3%A4%0D%0A%20%22%25");
}

}  // namespace
}  // namespace weir::events
