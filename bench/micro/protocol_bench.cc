#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <simdjson.h>

#include "protocol/predict.h"
#include "protocol/v2.h"

// What the V2 REST codecs cost per request. The Digits argument: 4 = short numbers ("0.1234"),
// 17 = doubles as Python writes them ("0.12345678901234567").

namespace {

using weir::protocol::DecodeOptions;
using weir::protocol::PredictRequest;
using weir::protocol::PredictResponse;
using weir::tensor::DataType;
using weir::tensor::Shape;
using weir::tensor::Tensor;

std::string json_body(std::int64_t rows, std::int64_t columns, std::int64_t digits) {
  std::mt19937_64 generator(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::string data;
  for (std::int64_t index = 0; index < rows * columns; ++index) {
    if (index > 0) data += ',';
    data += fmt::format("{:.{}g}", uniform(generator), digits);
  }
  return fmt::format(
      R"({{"inputs":[{{"name":"input","shape":[{},{}],"datatype":"FP32","data":[{}]}}]}})",
      rows,
      columns,
      data
  );
}

void check(bool holds) {
  if (!holds) std::abort();
}

void decode_json(benchmark::State& state) {
  const std::string body = json_body(state.range(0), state.range(1), state.range(2));
  PredictRequest request;
  for (auto _ : state) {
    check(decode_v2(body, std::nullopt, {}, request).has_value());
    benchmark::DoNotOptimize(request.inputs.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

// The same work with simdjson's on-demand parser, without any message for what is wrong.
void decode_json_with_simdjson(benchmark::State& state) {
  namespace ondemand = simdjson::ondemand;
  const simdjson::padded_string body(json_body(state.range(0), state.range(1), state.range(2)));
  ondemand::parser parser;
  std::vector<float> values(static_cast<std::size_t>(state.range(0) * state.range(1)));
  for (auto _ : state) {
    ondemand::document document;
    check(parser.iterate(body).get(document) == simdjson::SUCCESS);
    for (auto member : document.get_object()) {
      for (auto input : member.value().get_array()) {
        for (auto field : input.get_object()) {
          std::string_view key;
          check(field.unescaped_key().get(key) == simdjson::SUCCESS);
          if (key == "data") {
            std::size_t index = 0;
            for (auto element : field.value().get_array()) {
              double value = 0;
              check(element.get_double().get(value) == simdjson::SUCCESS);
              values[index++] = static_cast<float>(value);
            }
          } else if (key == "shape") {
            for (auto element : field.value().get_array()) {
              std::int64_t value = 0;
              check(element.get_int64().get(value) == simdjson::SUCCESS);
              benchmark::DoNotOptimize(value);
            }
          } else {
            std::string_view value;
            check(field.value().get_string().get(value) == simdjson::SUCCESS);
            benchmark::DoNotOptimize(value.data());
          }
        }
      }
    }
    benchmark::DoNotOptimize(values.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}

void decode_binary(benchmark::State& state) {
  const std::int64_t elements = state.range(0) * state.range(1);
  const std::string json = fmt::format(
      R"({{"inputs":[{{"name":"input","shape":[{},{}],"datatype":"FP32",)"
      R"("parameters":{{"binary_data_size":{}}}}}],"parameters":{{"binary_data_output":true}}}})",
      state.range(0),
      state.range(1),
      elements * 4
  );
  const std::string body = json + std::string(static_cast<std::size_t>(elements) * 4, '\0');
  const std::string header = fmt::format("{}", json.size());
  PredictRequest request;
  for (auto _ : state) {
    check(decode_v2(body, header, {}, request).has_value());
    benchmark::DoNotOptimize(request.inputs.data());
  }
}

// The outputs of a classifier: a label and two probabilities for each row.
struct Answer {
  explicit Answer(std::int64_t rows, bool binary) {
    std::mt19937_64 generator(7);
    std::uniform_real_distribution<float> uniform(0, 1);
    label.reset(DataType::int64, Shape{rows});
    for (std::int64_t& value : label.values<std::int64_t>()) value = generator() & 1U ? 1 : 0;
    probabilities.reset(DataType::fp32, Shape{rows, 2});
    for (float& value : probabilities.values<float>()) value = uniform(generator);
    response.model_name = "electricity";
    response.model_version = "1";
    response.id = "019a2f9b-0d70-7c3a-9d2e-5f3a7b1c2d4e";
    response.arm = "primary";
    response.decision = "answered";
    response.outputs = {{"label", &label, binary}, {"probabilities", &probabilities, binary}};
  }
  Tensor label;
  Tensor probabilities;
  PredictResponse response;
};

void encode(benchmark::State& state, bool binary) {
  const Answer answer(state.range(0), binary);
  std::string body;
  for (auto _ : state) {
    body.clear();
    check(encode_v2(answer.response, body).has_value());
    benchmark::DoNotOptimize(body.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
void encode_json(benchmark::State& state) {
  encode(state, false);
}
void encode_binary(benchmark::State& state) {
  encode(state, true);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "columns", "digits"});
  for (const std::int64_t digits : {4, 17}) {
    bench->Args({1, 8, digits})->Args({100, 8, digits})->Args({1, 784, digits});
  }
}

BENCHMARK(decode_json)->Apply(sizes);
BENCHMARK(decode_json_with_simdjson)->Apply(sizes);
BENCHMARK(decode_binary)->Args({1, 8})->Args({100, 8})->Args({1, 784});
BENCHMARK(encode_json)->Arg(1)->Arg(100);
BENCHMARK(encode_binary)->Arg(1)->Arg(100);

}  // namespace
