#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "model/forest_session.h"

// The forest evaluator: 100 complete trees of depth 6 over 8 features, made up as an XGBoost JSON
// model; WEIR_FOREST=path takes a model file instead. An iteration is one request of
// so many rows; "cold" asks 64 models in turn, so that each finds little of itself in the caches.

namespace weir::model {
namespace {

constexpr int tree_count = 100;
constexpr int depth = 6;
constexpr int feature_count = 8;
constexpr std::size_t row_count = 1024;

std::string make_tree(std::mt19937_64& random) {
  std::normal_distribution<float> threshold;
  std::string left;
  std::string right;
  std::string feature;
  std::string condition;
  std::string default_left;
  const int splits = (1 << depth) - 1;
  for (int node = 0; node < 2 * splits + 1; ++node) {
    const char* comma = node == 0 ? "" : ",";
    const bool is_leaf = node >= splits;
    left += fmt::format("{}{}", comma, is_leaf ? -1 : 2 * node + 1);
    right += fmt::format("{}{}", comma, is_leaf ? -1 : 2 * node + 2);
    feature += fmt::format("{}{}", comma, random() % feature_count);
    condition += fmt::format("{}{}", comma, threshold(random) * (is_leaf ? 0.01F : 1.0F));
    default_left += fmt::format("{}{}", comma, random() % 2);
  }
  return fmt::format(
      R"({{"left_children":[{}],"right_children":[{}],"split_indices":[{}],)"
      R"("split_conditions":[{}],"default_left":[{}]}})",
      left,
      right,
      feature,
      condition,
      default_left
  );
}

std::string make_model() {
  std::mt19937_64 random(1);
  std::string trees;
  std::string groups;
  for (int tree = 0; tree < tree_count; ++tree) {
    trees += (tree == 0 ? "" : ",") + make_tree(random);
    groups += tree == 0 ? "0" : ",0";
  }
  return fmt::format(
      R"({{"version":[3,2,0],"learner":{{"attributes":{{}},"feature_names":[],)"
      R"("learner_model_param":{{"base_score":"[5E-1]","num_class":"0","num_feature":"{}"}},)"
      R"("objective":{{"name":"binary:logistic"}},"gradient_booster":{{"name":"gbtree",)"
      R"("model":{{"tree_info":[{}],"trees":[{}]}}}}}}}})",
      feature_count,
      groups,
      trees
  );
}

std::string model_bytes() {
  const char* path = std::getenv("WEIR_FOREST");
  if (path == nullptr) return make_model();
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<Session> load(const std::string& bytes) {
  auto session = load_forest(bytes, "bench", {});
  if (!session) std::abort();
  return std::move(*session);
}

class Synchronous final : public Inference {
 public:
  void complete() override {}
};

std::vector<float> make_rows(std::size_t width) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> value;
  std::vector<float> rows(row_count * width);
  for (float& each : rows) each = value(random);
  return rows;
}

void run(Session& session, Synchronous& inference, const float* values, std::size_t rows) {
  const std::int64_t width = session.signature().inputs[0].shape[1];
  inference.inputs.resize(1);
  inference.inputs[0].reset(tensor::DataType::fp32, {static_cast<std::int64_t>(rows), width});
  auto input = inference.inputs[0].values<float>();
  std::copy_n(values, input.size(), input.begin());
  session.infer(inference);
}

void infer(benchmark::State& state) {
  const auto session = load(model_bytes());
  const auto width = static_cast<std::size_t>(session->signature().inputs[0].shape[1]);
  const std::vector<float> values = make_rows(width);
  const auto rows = static_cast<std::size_t>(state.range(0));
  Synchronous inference;
  std::size_t first = 0;
  for (auto _ : state) {
    run(*session, inference, values.data() + first * width, rows);
    benchmark::DoNotOptimize(inference.outputs[0].raw().data());
    first = first + 2 * rows <= row_count ? first + rows : 0;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["model_bytes"] = static_cast<double>(session->memory_bytes());
}
BENCHMARK(infer)->Arg(1)->Arg(2)->Arg(8)->Arg(100)->Arg(512)->Unit(benchmark::kMicrosecond);

void infer_cold(benchmark::State& state) {
  const std::string bytes = model_bytes();
  std::vector<std::unique_ptr<Session>> sessions;
  for (int copy = 0; copy < 64; ++copy) sessions.push_back(load(bytes));
  const auto width = static_cast<std::size_t>(sessions[0]->signature().inputs[0].shape[1]);
  const std::vector<float> values = make_rows(width);
  Synchronous inference;
  std::size_t turn = 0;
  for (auto _ : state) {
    run(*sessions[turn % 64], inference, values.data() + turn % row_count * width, 1);
    ++turn;
  }
}
BENCHMARK(infer_cold)->Unit(benchmark::kMicrosecond);

void load_model(benchmark::State& state) {
  const std::string bytes = model_bytes();
  for (auto _ : state) {
    const auto session = load(bytes);
    benchmark::DoNotOptimize(session.get());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(load_model)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::model
