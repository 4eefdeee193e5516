#include "model/forest_session.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "model/forest_reader.h"

namespace weir::model {
namespace {

// Rows that are evaluated together: what they need stays in the nearest caches.
constexpr std::size_t block_rows_max = 64;
// A thread's stack holds this much scratch memory; wider models use memory of the session.
constexpr std::size_t stack_keys = 4096;
constexpr std::size_t stack_sums = 1024;
constexpr std::size_t wide_block_rows = 8;

double logistic(double value) {
  return 1.0 / (1.0 + std::exp(-value));
}

// The answer of one sum. Requires: the link is not softmax.
double apply_link(const ForestModel& model, double sum) {
  switch (model.link) {
    case Link::logistic:
    case Link::one_vs_all:
      return logistic(model.scale * sum);
    case Link::step:
      return sum > 0 ? 1.0 : 0.0;
    case Link::exponential:
      return std::exp(sum);
    case Link::signed_square:
      return std::copysign(sum * sum, sum);
    case Link::softplus:
      return sum > 30 ? sum : std::log1p(std::exp(sum));
    case Link::identity:
    case Link::softmax:
      break;
  }
  return sum;
}

void softmax(std::span<const double> sums, float* probabilities) {
  const double highest = *std::max_element(sums.begin(), sums.end());
  double total = 0;
  for (const double sum : sums) total += std::exp(sum - highest);
  for (std::size_t index = 0; index < sums.size(); ++index) {
    probabilities[index] = static_cast<float>(std::exp(sums[index] - highest) / total);
  }
}

// Scratch memory for a block of rows, for models that are too wide for the stack.
struct Scratch {
  std::vector<std::int32_t> keys;
  std::vector<double> sums;
};

// Lends scratch memory. There are never more than threads that infer at once. Thread-safe.
class ScratchPool {
 public:
  std::unique_ptr<Scratch> borrow(std::size_t keys, std::size_t sums) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Scratch> scratch = std::move(free_.back());
        free_.pop_back();
        return scratch;
      }
    }
    auto scratch = std::make_unique<Scratch>();
    scratch->keys.resize(keys);
    scratch->sums.resize(sums);
    return scratch;
  }

  void give_back(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

bool has_use(const std::vector<std::string>& names) {
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  return !sorted.empty() && !sorted.front().empty() &&
         std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

Signature make_signature(const ForestModel& model) {
  Signature signature;
  signature.platform = "weir_forest";
  signature.has_row_axis = true;
  signature.task = model.task;
  const std::size_t width = model.forest.feature_count();
  signature.inputs = {{"input", tensor::DataType::fp32, {-1, static_cast<std::int64_t>(width)}}};
  if (width <= Signature::max_features_per_input) {
    const bool is_named = has_use(model.feature_names);
    for (std::size_t index = 0; index < width; ++index) {
      Feature& feature = signature.features.emplace_back();
      feature.name = is_named ? model.feature_names[index] : fmt::format("input_{}", index);
      feature.index = index;
    }
  }
  const std::size_t groups = model.forest.group_count();
  if (model.task == Task::binary || model.task == Task::multiclass) {
    const std::size_t classes = model.task == Task::binary ? 2 : groups;
    signature.outputs = {
        {"label", tensor::DataType::int64, {-1}},
        {"probabilities", tensor::DataType::fp32, {-1, static_cast<std::int64_t>(classes)}}};
    for (std::size_t index = 0; index < classes; ++index) {
      signature.classes.push_back(fmt::format("{}", index));
    }
    signature.predicted = OutputElement{0, 0};
    signature.score = OutputElement{1, model.task == Task::binary ? 1U : 0U};
    return signature;
  }
  signature.outputs = {
      {"variable", tensor::DataType::fp32, {-1, static_cast<std::int64_t>(groups)}}};
  if (groups == 1) {
    signature.score = OutputElement{0, 0};
    signature.predicted = OutputElement{0, 0};
  }
  return signature;
}

class ForestSession final : public Session {
 public:
  explicit ForestSession(ForestModel model)
      : model_(std::move(model)), signature_(make_signature(model_)) {}

  const Signature& signature() const override { return signature_; }

  std::size_t memory_bytes() const override {
    return sizeof(ForestSession) + model_.forest.memory_bytes();
  }

  Progress infer(Inference& inference) override {
    const std::int64_t begin_ns = monotonic_ns();
    inference.status = run(inference);
    inference.run_ns = monotonic_ns() - begin_ns;
    return Progress::done;
  }

 private:
  Result<void> run(Inference& inference) {
    const std::size_t width = model_.forest.feature_count();
    const tensor::Shape& spec = signature_.inputs[0].shape;
    if (inference.inputs.size() != 1 || inference.inputs[0].datatype() != tensor::DataType::fp32 ||
        !spec.accepts(inference.inputs[0].shape())) {
      return fail(
          Code::invalid_argument,
          "a tree model wants one input 'input', FP32 of shape [-1,{}]",
          width
      );
    }
    const std::size_t rows = inference.inputs[0].size() / width;
    shape_outputs(inference, rows);
    const std::size_t keys = model_.forest.keys_per_row();
    const std::size_t groups = model_.forest.group_count();
    const std::size_t block = std::min({block_rows_max, stack_keys / keys, stack_sums / groups});
    if (block >= std::min(rows, wide_block_rows)) {
      std::int32_t key_memory[stack_keys];
      double sum_memory[stack_sums];
      run_blocks(inference, rows, block, key_memory, sum_memory);
      return {};
    }
    auto scratch = scratch_.borrow(wide_block_rows * keys, wide_block_rows * groups);
    run_blocks(inference, rows, wide_block_rows, scratch->keys, scratch->sums);
    scratch_.give_back(std::move(scratch));
    return {};
  }

  void shape_outputs(Inference& inference, std::size_t rows) const {
    inference.outputs.resize(signature_.outputs.size());
    for (std::size_t index = 0; index < signature_.outputs.size(); ++index) {
      tensor::Shape shape = signature_.outputs[index].shape;
      shape.set(0, static_cast<std::int64_t>(rows));
      inference.outputs[index].reset(signature_.outputs[index].datatype, shape);
    }
  }

  void run_blocks(
      Inference& inference,
      std::size_t rows,
      std::size_t block,
      std::span<std::int32_t> keys,
      std::span<double> sums
  ) const {
    const std::size_t width = model_.forest.feature_count();
    const std::size_t groups = model_.forest.group_count();
    const std::span<const float> values = std::as_const(inference.inputs[0]).values<float>();
    for (std::size_t first = 0; first < rows; first += block) {
      const std::size_t count = std::min(block, rows - first);
      const std::span<double> here = sums.first(count * groups);
      model_.forest.evaluate(values.subspan(first * width, count * width), count, keys, here);
      if (model_.divisor != 1) {
        for (double& sum : here) sum /= model_.divisor;
      }
      if (model_.task == Task::binary) {
        answer_binary(here, first, inference);
      } else if (model_.task == Task::multiclass) {
        answer_classes(here, first, inference);
      } else {
        float* variable = inference.outputs[0].values<float>().data() + first * groups;
        for (std::size_t index = 0; index < here.size(); ++index) {
          variable[index] = static_cast<float>(apply_link(model_, here[index]));
        }
      }
    }
  }

  void answer_binary(std::span<const double> sums, std::size_t first, Inference& inference) const {
    std::int64_t* label = inference.outputs[0].values<std::int64_t>().data() + first;
    float* probability = inference.outputs[1].values<float>().data() + first * 2;
    for (std::size_t row = 0; row < sums.size(); ++row) {
      const auto score = static_cast<float>(apply_link(model_, sums[row]));
      label[row] = score > 0.5F ? 1 : 0;
      probability[row * 2] = 1.0F - score;
      probability[row * 2 + 1] = score;
    }
  }

  void answer_classes(std::span<const double> sums, std::size_t first, Inference& inference) const {
    const std::size_t classes = model_.forest.group_count();
    std::int64_t* label = inference.outputs[0].values<std::int64_t>().data() + first;
    float* probability = inference.outputs[1].values<float>().data() + first * classes;
    for (; !sums.empty(); sums = sums.subspan(classes)) {
      const std::span<const double> row = sums.first(classes);
      // The order of probabilities is that of the sums, for both links.
      *label++ = std::max_element(row.begin(), row.end()) - row.begin();
      if (model_.link == Link::softmax) {
        softmax(row, probability);
      } else {
        for (std::size_t index = 0; index < classes; ++index) {
          probability[index] = static_cast<float>(apply_link(model_, row[index]));
        }
      }
      probability += classes;
    }
  }

  ForestModel model_;
  Signature signature_;
  ScratchPool scratch_;
};

enum class Format : std::uint8_t { xgboost_json, xgboost_ubj, lightgbm, unknown };

Format format_of(std::string_view bytes) {
  if (bytes.starts_with("tree\n") || bytes.starts_with("tree\r\n")) return Format::lightgbm;
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || bytes[first] != '{') return Format::unknown;
  // In UBJ a key begins with the type of its length (or the object with its size).
  const std::string_view rest = bytes.substr(first + 1);
  const std::size_t next = rest.find_first_not_of(" \t\r\n");
  if (first == 0 && next == 0 &&
      std::string_view("iUIlL#$").find(rest[0]) != std::string_view::npos) {
    return Format::xgboost_ubj;
  }
  return Format::xgboost_json;
}

Result<ForestModel> read_forest(std::string_view bytes, std::uint32_t max_nodes) {
  switch (format_of(bytes)) {
    case Format::xgboost_json:
      return read_xgboost_json(bytes, max_nodes);
    case Format::xgboost_ubj:
      return read_xgboost_ubj(bytes, max_nodes);
    case Format::lightgbm:
      return read_lightgbm(bytes, max_nodes);
    case Format::unknown:
      break;
  }
  return fail(
      Code::invalid_argument,
      "it is neither XGBoost JSON or UBJ (save_model('model.ubj')) nor LightGBM text "
      "(save_model('model.txt'))"
  );
}

}  // namespace

bool looks_like_forest(std::string_view bytes) {
  return format_of(bytes) != Format::unknown;
}

Result<std::unique_ptr<Session>> load_forest(
    std::string_view bytes, std::string_view file_name, const SessionOptions& options
) {
  if (bytes.size() > options.max_artifact_bytes) {
    return fail(
        Code::invalid_argument,
        "the model file '{}' has {} bytes; max_artifact_bytes allows {}",
        file_name,
        bytes.size(),
        options.max_artifact_bytes
    );
  }
  Result<ForestModel> model = read_forest(bytes, options.max_forest_nodes);
  if (!model) {
    return fail(
        model.error().code,
        "the model file '{}' cannot be loaded: {}",
        file_name,
        model.error().message
    );
  }
  return std::make_unique<ForestSession>(std::move(*model));
}

}  // namespace weir::model
