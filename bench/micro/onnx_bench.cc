#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/json.hpp>
#include <onnxruntime_c_api.h>

#include "base/check.h"
#include "model/onnx_library.h"
#include "model/session.h"

// What a session costs on top of the library: the same model, called directly with values made
// beforehand, and through Session::infer.

namespace weir::model {
namespace {

const std::string models = std::string(WEIR_SOURCE_DIR) + "/tests/data/models/";

class LoopInference final : public Inference {
 public:
  void complete() override {}
};

const OnnxLibrary& library() {
  static const OnnxLibrary* loaded = [] {
    auto result = onnx_library({});
    CHECK(result.has_value(), "the benchmark needs ONNX Runtime");
    return *result;
  }();
  return *loaded;
}

void ok(OrtStatus* status) {
  CHECK(status == nullptr, "the library does as it is told");
}

// The rows that the load of whole servers sends, 8 values each.
const std::vector<float>& electricity_rows() {
  static const std::vector<float> rows = [] {
    std::ifstream file(models + "electricity_rows.json");
    std::stringstream text;
    text << file.rdbuf();
    std::vector<float> values;
    const boost::json::value document = boost::json::parse(text.str());
    for (const auto& row : document.at("rows").as_array()) {
      for (const auto& value : row.as_array()) values.push_back(value.to_number<float>());
    }
    return values;
  }();
  return rows;
}

OrtValue* tensor(
    void* data, std::size_t bytes, std::span<const std::int64_t> shape, bool is_label
) {
  OrtValue* value = nullptr;
  const auto type =
      is_label ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  ok(library().api->CreateTensorWithDataAsOrtValue(
      library().memory, data, bytes, shape.data(), shape.size(), type, &value
  ));
  return value;
}

// Run() in a loop with all values made beforehand, different rows in turn: the floor.
void raw_run(benchmark::State& state) {
  const OrtApi& api = *library().api;
  const auto rows = static_cast<std::size_t>(state.range(0));
  OrtSessionOptions* options = nullptr;
  ok(api.CreateSessionOptions(&options));
  ok(api.DisablePerSessionThreads(options));
  OrtSession* session = nullptr;
  const std::string path = models + "electricity_v1.onnx";
  ok(api.CreateSession(library().env, path.c_str(), options, &session));

  std::vector<float> values = electricity_rows();
  std::vector<std::int64_t> label(rows);
  std::vector<float> probabilities(rows * 2);
  const std::array<std::int64_t, 2> input_shape = {state.range(0), 8};
  const std::array<std::int64_t, 2> output_shape = {state.range(0), 2};
  std::vector<OrtValue*> in;
  for (std::size_t at = 0; at + rows * 8 <= values.size(); at += rows * 8) {
    in.push_back(tensor(&values[at], rows * 8 * sizeof(float), input_shape, false));
  }
  std::array<OrtValue*, 2> out = {
      tensor(label.data(), rows * sizeof(std::int64_t), std::span(output_shape).first(1), true),
      tensor(probabilities.data(), rows * 2 * sizeof(float), output_shape, false)};
  const std::array<const char*, 1> input_names = {"input"};
  const std::array<const char*, 2> output_names = {"label", "probabilities"};
  std::size_t next = 0;
  for (auto step : state) {
    const OrtValue* const given = in[next];
    next = next + 1 < in.size() ? next + 1 : 0;
    ok(api.Run(session, nullptr, input_names.data(), &given, 1, output_names.data(), 2, out.data())
    );
  }
  for (OrtValue* value : in) api.ReleaseValue(value);
  for (OrtValue* value : out) api.ReleaseValue(value);
  api.ReleaseSession(session);
  api.ReleaseSessionOptions(options);
}
BENCHMARK(raw_run)->Arg(1)->Arg(16)->Arg(100);

void infer(benchmark::State& state, const char* file, std::int64_t columns) {
  auto session = load_session(models + file, {});
  CHECK(session.has_value(), "the model is in the repository");
  LoopInference inference;
  inference.rows = static_cast<std::size_t>(state.range(0));
  inference.inputs.resize(1);
  inference.inputs[0].reset(tensor::DataType::fp32, {state.range(0), columns});
  for (float& value : inference.inputs[0].values<float>()) value = 0.5F;
  for (auto step : state) {
    benchmark::DoNotOptimize((*session)->infer(inference));
    CHECK(inference.status.has_value(), "the model answers");
  }
}
BENCHMARK_CAPTURE(infer, electricity, "electricity_v1.onnx", 8)->Arg(1)->Arg(16)->Arg(100);
BENCHMARK_CAPTURE(infer, forest_twin, "electricity_v1.ubj", 8)->Arg(1)->Arg(16)->Arg(100);
BENCHMARK_CAPTURE(infer, linear, "linear.onnx", 3)->Arg(1)->Arg(16);
BENCHMARK_CAPTURE(infer, maps_of_zipmap, "iris_zipmap.onnx", 4)->Arg(1)->Arg(16);

void load_and_unload(benchmark::State& state) {
  library();
  for (auto step : state) {
    auto session = load_session(models + "electricity_v1.onnx", {});
    CHECK(session.has_value(), "the model is in the repository");
  }
}
BENCHMARK(load_and_unload)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::model
