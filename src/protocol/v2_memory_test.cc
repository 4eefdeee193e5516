#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/v2.h"

// Counts the allocations of this test program, for the promise that requests of one form are
// decoded and answered without any once the first has been.

namespace {

thread_local std::uint64_t allocations = 0;

void* allocate(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace weir::protocol {
namespace {

// How many allocations the function makes after it has run before.
template <class Function>
std::uint64_t allocations_when_warm(Function function) {
  function();
  function();
  const std::uint64_t before = allocations;
  function();
  return allocations - before;
}

TEST(V2Memory, DecodesWithoutAllocationOnceWarm) {
  const std::string json =
      R"({"id":"0198f2a6-7c1e-7000-8000-0123456789ab","parameters":{"timeout":1000000,)"
      R"("binary_data_output":false,"weir-routing-key":"a key of more than a few letters"},)"
      R"("inputs":[{"name":"a_name_that_is_not_short","shape":[2,4],"datatype":"FP32",)"
      R"("data":[[0.1,0.2,null,1e-7],[0.12345678901234567,6,7,8]]},)"
      R"({"data":["one","t\u0077o"],"name":"text","shape":[2],"datatype":"BYTES"}]})";
  PredictRequest request;
  EXPECT_EQ(
      allocations_when_warm([&] {
        const auto result = decode_v2(json, std::nullopt, {}, request);
        ASSERT_TRUE(result) << result.error().message;
      }),
      0
  );
}

TEST(V2Memory, DecodesBinaryWithoutAllocationOnceWarm) {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[1,8],"datatype":"FP32",)"
      R"("parameters":{"binary_data_size":32}}],"parameters":{"binary_data_output":true}})";
  const std::string body = json + std::string(32, '\0');
  const std::string header = fmt::format("{}", json.size());
  PredictRequest request;
  EXPECT_EQ(allocations_when_warm([&] { ASSERT_TRUE(decode_v2(body, header, {}, request)); }), 0);
}

TEST(V2Memory, EncodesWithoutAllocationOnceWarm) {
  tensor::Tensor probabilities;
  probabilities.reset(tensor::DataType::fp32, tensor::Shape{100, 2});
  for (float& value : probabilities.values<float>()) value = 0.1F;
  tensor::Tensor label;
  label.reset(tensor::DataType::bytes, tensor::Shape{1});
  label.add_string("a label that is not short");
  PredictResponse response;
  response.model_name = "model";
  response.model_version = "1";
  response.id = "0198f2a6-7c1e-7000-8000-0123456789ab";
  response.outputs = {{"probabilities", &probabilities, false}, {"label", &label, false}};
  std::string body;
  EXPECT_EQ(
      allocations_when_warm([&] {
        body.clear();
        ASSERT_TRUE(encode_v2(response, body));
      }),
      0
  );
  EXPECT_FALSE(body.empty());
}

}  // namespace
}  // namespace weir::protocol
