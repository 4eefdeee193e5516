#include "model/forest_session.h"

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Synchronous final : public Inference {
 public:
  void complete() override { FAIL() << "a forest answers at once"; }
};

// A LightGBM model of stumps: tree t looks at feature t modulo `features`, and gives -1 up to 0 and
// 1 above it.
std::string stumps(
    const std::string& objective, int trees, int groups, int features, const std::string& names
) {
  std::string text = fmt::format(
      "tree\nversion=v4\nnum_class={0}\nnum_tree_per_iteration={0}\nmax_feature_idx={1}\n"
      "objective={2}\nfeature_names={3}\n",
      groups,
      features - 1,
      objective,
      names
  );
  for (int tree = 0; tree < trees; ++tree) {
    text += fmt::format(
        "Tree={}\nnum_leaves=2\nsplit_feature={}\nthreshold=0\ndecision_type=8\nleft_child=-1\n"
        "right_child=-2\nleaf_value=-1 1\n",
        tree,
        tree % features
    );
  }
  return text + "end of trees\n";
}

std::unique_ptr<Session> load(const std::string& bytes) {
  auto session = load_forest(bytes, "model.txt", {});
  EXPECT_TRUE(session) << session.error().message;
  return session ? std::move(*session) : nullptr;
}

void infer(Session& session, const std::vector<float>& values, Inference& inference) {
  const std::int64_t width = session.signature().inputs[0].shape[1];
  inference.inputs.resize(1);
  inference.inputs[0].reset(
      tensor::DataType::fp32, {static_cast<std::int64_t>(values.size()) / width, width}
  );
  std::copy(values.begin(), values.end(), inference.inputs[0].values<float>().begin());
  ASSERT_EQ(session.infer(inference), Progress::done);
}

TEST(ForestSession, HasTheOutputsOfAConvertedClassifier) {
  const auto session = load(stumps("binary sigmoid:1", 2, 1, 2, "age income"));
  const Signature& signature = session->signature();
  EXPECT_EQ(signature.platform, "weir_forest");
  EXPECT_EQ(signature.task, Task::binary);
  EXPECT_TRUE(signature.has_row_axis);
  ASSERT_EQ(signature.inputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0].name, "input");
  EXPECT_EQ(signature.inputs[0].datatype, tensor::DataType::fp32);
  EXPECT_EQ(signature.inputs[0].shape, (tensor::Shape{-1, 2}));
  ASSERT_EQ(signature.outputs.size(), 2U);
  EXPECT_EQ(signature.outputs[0].name, "label");
  EXPECT_EQ(signature.outputs[0].datatype, tensor::DataType::int64);
  EXPECT_EQ(signature.outputs[0].shape, (tensor::Shape{-1}));
  EXPECT_EQ(signature.outputs[1].name, "probabilities");
  EXPECT_EQ(signature.outputs[1].datatype, tensor::DataType::fp32);
  EXPECT_EQ(signature.outputs[1].shape, (tensor::Shape{-1, 2}));
  EXPECT_THAT(signature.classes, ElementsAre("0", "1"));
  EXPECT_EQ(signature.score->output, 1U);
  EXPECT_EQ(signature.score->index, 1U);
  EXPECT_EQ(signature.predicted->output, 0U);
  ASSERT_EQ(signature.features.size(), 2U);
  EXPECT_EQ(signature.features[1].name, "income");
  EXPECT_EQ(signature.features[1].index, 1U);
  EXPECT_TRUE(signature.features[1].may_be_missing);
}

TEST(ForestSession, NamesFeaturesByPositionWhenTheModelHasNoUsableNames) {
  for (const char* names : {"Column_0 Column_1", "age", "age age"}) {
    const auto session = load(stumps("binary", 2, 1, 2, names));
    EXPECT_EQ(session->signature().features[1].name, "input_1") << names;
  }
}

TEST(ForestSession, HasNoFeaturesWhenTheyAreTooMany) {
  const int most = Signature::max_features_per_input;
  EXPECT_EQ(load(stumps("binary", 1, 1, most, ""))->signature().features.size(), 256U);
  EXPECT_TRUE(load(stumps("binary", 1, 1, most + 1, ""))->signature().features.empty());
}

TEST(ForestSession, AnswersABinaryClassifier) {
  const auto session = load(stumps("binary sigmoid:0.5", 2, 1, 2, ""));
  Synchronous inference;
  infer(*session, {1, 1, -1, -1, 1, -1}, inference);
  ASSERT_TRUE(inference.status);
  EXPECT_THAT(inference.outputs[0].values<std::int64_t>(), ElementsAre(1, 0, 0))
      << "0.5 is not more";
  const auto probabilities = inference.outputs[1].values<float>();
  EXPECT_NEAR(probabilities[1], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(probabilities[0] + probabilities[1], 1);
  EXPECT_EQ(probabilities[5], 0.5F);
  EXPECT_GT(inference.run_ns, 0);
}

TEST(ForestSession, AnswersAMulticlassClassifier) {
  const auto session = load(stumps("multiclass num_class:3", 3, 3, 3, ""));
  EXPECT_EQ(session->signature().task, Task::multiclass);
  EXPECT_THAT(session->signature().classes, ElementsAre("0", "1", "2"));
  Synchronous inference;
  infer(*session, {-1, 1, -1, -1, -1, -1}, inference);
  EXPECT_THAT(inference.outputs[0].values<std::int64_t>(), ElementsAre(1, 0));
  const auto probabilities = inference.outputs[1].values<float>();
  const double total = std::exp(1.0) + 2 * std::exp(-1.0);
  EXPECT_NEAR(probabilities[0], std::exp(-1.0) / total, 1e-6);
  EXPECT_NEAR(probabilities[1], std::exp(1.0) / total, 1e-6);
  EXPECT_NEAR(probabilities[3], 1.0 / 3, 1e-6);
}

TEST(ForestSession, KeepsExtremeSumsFinite) {
  std::string text = stumps("multiclass num_class:2", 2, 2, 1, "");
  text.replace(text.find("leaf_value=-1 1"), 15, "leaf_value=-9999 9999");
  const auto session = load(text);
  Synchronous inference;
  infer(*session, {1, -1}, inference);
  EXPECT_THAT(inference.outputs[1].values<float>(), ElementsAre(1, 0, 0, 1));
}

TEST(ForestSession, AnswersARegression) {
  const auto session = load(stumps("regression", 4, 1, 2, ""));
  const Signature& signature = session->signature();
  EXPECT_EQ(signature.task, Task::regression);
  ASSERT_EQ(signature.outputs.size(), 1U);
  EXPECT_EQ(signature.outputs[0].name, "variable");
  EXPECT_EQ(signature.outputs[0].shape, (tensor::Shape{-1, 1}));
  EXPECT_EQ(signature.score->output, 0U);
  EXPECT_EQ(signature.predicted->output, 0U);
  Synchronous inference;
  infer(*session, {1, 1, 1, -1}, inference);
  EXPECT_THAT(inference.outputs[0].values<float>(), ElementsAre(4, 0));
  EXPECT_EQ(inference.outputs[0].shape(), (tensor::Shape{2, 1}));
}

TEST(ForestSession, SaysNothingOfScoresWhenThereAreSeveralRawNumbers) {
  const auto session = load(stumps("custom", 4, 2, 2, ""));
  EXPECT_EQ(session->signature().task, Task::other);
  EXPECT_EQ(session->signature().outputs[0].shape, (tensor::Shape{-1, 2}));
  EXPECT_FALSE(session->signature().score);
}

TEST(ForestSession, AnswersEveryNumberOfRowsAlsoForModelsTooWideForTheStack) {
  for (const int features : {3, 700, 6'000}) {
    const auto session = load(stumps("regression", features, 1, features, ""));
    const auto width = static_cast<std::size_t>(features);
    for (const std::size_t rows : {0, 1, 7, 8, 9, 63, 64, 65, 130}) {
      std::vector<float> values(rows * width, -1);
      // Row r has r features above zero, as far as it goes.
      for (std::size_t row = 0; row < rows; ++row) {
        std::fill_n(
            values.begin() + static_cast<std::ptrdiff_t>(row * width), std::min(row, width), 1.0F
        );
      }
      Synchronous inference;
      infer(*session, values, inference);
      ASSERT_EQ(inference.outputs[0].size(), rows);
      for (std::size_t row = 0; row < rows; ++row) {
        const auto wanted = 2 * static_cast<double>(std::min(row, width)) - features;
        EXPECT_EQ(inference.outputs[0].values<float>()[row], wanted) << features << " x " << rows;
      }
    }
  }
}

TEST(ForestSession, AnswersManyClasses) {
  const int classes = 3'000;  // More sums than fit the stack.
  const auto session = load(stumps("multiclass num_class:3000", classes, classes, classes, ""));
  std::vector<float> values(2 * static_cast<std::size_t>(classes), -1);
  values[17] = 1;
  values[classes + 2'999] = 1;
  Synchronous inference;
  infer(*session, values, inference);
  EXPECT_THAT(inference.outputs[0].values<std::int64_t>(), ElementsAre(17, 2'999));
}

TEST(ForestSession, UsesTheMemoryOfAnInferenceAgain) {
  const auto session = load(stumps("binary", 4, 1, 2, ""));
  Synchronous inference;
  infer(*session, std::vector<float>(200, 1), inference);
  const std::byte* label = inference.outputs[0].raw().data();
  const std::byte* probabilities = inference.outputs[1].raw().data();
  infer(*session, {1, 1}, inference);
  infer(*session, std::vector<float>(200, 1), inference);
  EXPECT_EQ(inference.outputs[0].raw().data(), label);
  EXPECT_EQ(inference.outputs[1].raw().data(), probabilities);
}

TEST(ForestSession, RefusesAnInputOfAnotherShapeOrType) {
  const auto session = load(stumps("binary", 4, 1, 2, ""));
  Synchronous inference;
  inference.inputs.resize(1);
  inference.inputs[0].reset(tensor::DataType::fp32, {1, 3});
  EXPECT_EQ(session->infer(inference), Progress::done);
  ASSERT_FALSE(inference.status);
  EXPECT_THAT(inference.status.error().message, HasSubstr("FP32 of shape [-1,2]"));
  inference.inputs[0].reset(tensor::DataType::fp64, {1, 2});
  session->infer(inference);
  EXPECT_FALSE(inference.status);
  infer(*session, {1, 1}, inference);
  EXPECT_TRUE(inference.status) << "an error does not stick";
}

TEST(ForestSession, AnswersManyThreadsAtOnce) {
  const auto session = load(stumps("regression", 6'000, 1, 6'000, ""));
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&session, number] {
      Synchronous inference;
      std::vector<float> values(6'000, -1);
      std::fill_n(values.begin(), 1'000 * number, 1.0F);
      for (int round = 0; round < 50; ++round) {
        infer(*session, values, inference);
        EXPECT_EQ(
            inference.outputs[0].values<float>()[0], 2'000.0F * static_cast<float>(number) - 6'000
        );
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ForestSession, KnowsItsMemory) {
  const auto small = load(stumps("regression", 1, 1, 1, ""));
  const auto large = load(stumps("regression", 1'000, 1, 1, ""));
  EXPECT_GT(large->memory_bytes(), small->memory_bytes() + 999 * 3 * 12);
}

TEST(LoadForest, NamesTheFileAndTheFormatsWhenItIsNotAModel) {
  for (const char* bytes :
       {"", " ", "PK\x03\x04", "binf....", "trees\n", "[1, 2]", "\x80\x04pickle"}) {
    EXPECT_FALSE(looks_like_forest(bytes));
    const auto session = load_forest(bytes, "folder/model.bin", {});
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, Code::invalid_argument);
    EXPECT_THAT(session.error().message, HasSubstr("'folder/model.bin' cannot be loaded"));
    EXPECT_THAT(session.error().message, HasSubstr("save_model('model.ubj')"));
  }
  EXPECT_TRUE(looks_like_forest("tree\nversion=v4"));
  EXPECT_TRUE(looks_like_forest(" {\"learner\""));
  EXPECT_TRUE(looks_like_forest("{L"));
}

TEST(LoadForest, KeepsToItsLimits) {
  const std::string bytes = stumps("regression", 2, 1, 1, "");
  SessionOptions options;
  options.max_artifact_bytes = bytes.size();
  options.max_forest_nodes = 6;
  EXPECT_TRUE(load_forest(bytes, "model.txt", options));
  options.max_forest_nodes = 5;
  EXPECT_THAT(
      load_forest(bytes, "model.txt", options).error().message, HasSubstr("max_forest_nodes")
  );
  options.max_forest_nodes = 6;
  options.max_artifact_bytes = bytes.size() - 1;
  EXPECT_THAT(
      load_forest(bytes, "model.txt", options).error().message,
      HasSubstr("max_artifact_bytes allows")
  );
}

}  // namespace
}  // namespace weir::model
