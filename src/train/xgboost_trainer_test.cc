#include "train/xgboost_trainer.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace weir::train {
namespace {

// Rows whose label follows from their features.
struct Sample {
  std::vector<float> values;
  std::vector<float> labels;
  TrainData data() const { return {values, labels, 3}; }
};

Sample make_sample(TrainTask task, std::size_t rows, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> draw(-1, 1);
  Sample sample;
  for (std::size_t i = 0; i < rows; ++i) {
    const float a = draw(random);
    const float b = draw(random);
    sample.values.insert(sample.values.end(), {a, b, draw(random)});
    switch (task) {
      case TrainTask::binary:
        sample.labels.push_back(a + b > 0 ? 1.0F : 0.0F);
        break;
      case TrainTask::multiclass:
        sample.labels.push_back(std::floor((a + 1) * 1.499F));
        break;
      case TrainTask::regression:
        sample.labels.push_back(2 * a - b);
        break;
    }
  }
  return sample;
}

class Trainer : public testing::Test {
 protected:
  Trainer() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir_train_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Trainer() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static TrainOptions small(TrainTask task) {
    TrainOptions options;
    options.task = task;
    options.classes = 3;
    options.trees = 20;
    options.depth = 4;
    options.threads = 1;
    return options;
  }
  static double metric(
      const TrainReport& report, const std::string& data, const std::string& name
  ) {
    for (const TrainMetric& metric : report.metrics) {
      if (metric.data == data && metric.name == name) return metric.value;
    }
    return std::numeric_limits<double>::quiet_NaN();
  }
  // The message of an error.
  std::string said(const TrainData& data, const TrainOptions& options, const TrainData& more = {}) {
    const auto report = train_xgboost(data, more, options, file("m.json"));
    return report ? "trained" : report.error().message;
  }

  std::string folder_;
};

TEST_F(Trainer, LearnsABinaryLabel) {
  const Sample sample = make_sample(TrainTask::binary, 2'000, 1);
  const Sample held_out = make_sample(TrainTask::binary, 1'000, 2);
  const auto report =
      train_xgboost(sample.data(), held_out.data(), small(TrainTask::binary), file("m.json"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows, 2'000U);
  EXPECT_LT(metric(*report, "train", "error"), 0.03);
  EXPECT_LT(metric(*report, "train", "logloss"), 0.2);
  EXPECT_LT(metric(*report, "validation", "error"), 0.06);
  EXPECT_GT(metric(*report, "validation", "error"), metric(*report, "train", "error"));
  EXPECT_FALSE(report->library_version.empty());
  const std::string model = read(file("m.json"));
  EXPECT_NE(model.find("binary:logistic"), std::string::npos);
}

TEST_F(Trainer, LearnsSeveralClassesAndNumbers) {
  const Sample classes = make_sample(TrainTask::multiclass, 2'000, 3);
  const auto report =
      train_xgboost(classes.data(), {}, small(TrainTask::multiclass), file("m.json"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LT(metric(*report, "train", "merror"), 0.02);
  EXPECT_NE(read(file("m.json")).find("multi:softprob"), std::string::npos);

  const Sample numbers = make_sample(TrainTask::regression, 2'000, 4);
  const auto second =
      train_xgboost(numbers.data(), {}, small(TrainTask::regression), file("n.json"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_LT(metric(*second, "train", "rmse"), 0.2);
  EXPECT_NE(read(file("n.json")).find("reg:squarederror"), std::string::npos);
}

TEST_F(Trainer, TakesNanAsMissing) {
  Sample sample = make_sample(TrainTask::binary, 1'000, 5);
  for (std::size_t i = 0; i < sample.values.size(); i += 7) {
    sample.values[i] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_EQ(said(sample.data(), small(TrainTask::binary)), "trained");
}

TEST_F(Trainer, KeepsTheNamesOfFeatures) {
  const Sample sample = make_sample(TrainTask::binary, 100, 6);
  TrainOptions options = small(TrainTask::binary);
  options.feature_names = {"price", "demand", "Füll stand"};
  ASSERT_EQ(said(sample.data(), options), "trained");
  const std::string model = read(file("m.json"));
  EXPECT_NE(model.find("\"price\""), std::string::npos);
  EXPECT_NE(model.find("\"demand\""), std::string::npos);
}

TEST_F(Trainer, MakesTheSameModelFromTheSameInput) {
  const Sample sample = make_sample(TrainTask::binary, 500, 7);
  const TrainOptions options = small(TrainTask::binary);
  ASSERT_TRUE(train_xgboost(sample.data(), {}, options, file("a.ubj")));
  ASSERT_TRUE(train_xgboost(sample.data(), {}, options, file("b.ubj")));
  const std::string model = read(file("a.ubj"));
  EXPECT_EQ(model, read(file("b.ubj")));
  // UBJ begins with an object whose keys carry the type of their length.
  EXPECT_EQ(model.substr(0, 2), "{L");
  EXPECT_FALSE(std::filesystem::exists(file("a.ubj.tmp.ubj")));
}

TEST_F(Trainer, MakesAsManyTreesAsAreAskedFor) {
  const Sample sample = make_sample(TrainTask::multiclass, 300, 8);
  TrainOptions options = small(TrainTask::multiclass);
  options.trees = 5;
  ASSERT_EQ(said(sample.data(), options), "trained");
  // One tree for each class in each round.
  EXPECT_NE(read(file("m.json")).find("\"num_trees\":\"15\""), std::string::npos);
}

TEST_F(Trainer, RefusesDataThatDoNotFitTogether) {
  const Sample sample = make_sample(TrainTask::binary, 10, 9);
  const TrainOptions options = small(TrainTask::binary);
  TrainData data = sample.data();
  data.features = 4;
  EXPECT_EQ(said(data, options), "the training data have 30 values, not 10 rows times 4 features");
  EXPECT_EQ(said({}, options), "the training data have no rows or no features");
  data.features = 2;
  data.labels = data.labels.first(10);
  data.values = data.values.first(20);
  EXPECT_EQ(
      said(sample.data(), options, data), "the validation data have 2 features, the training data 3"
  );
}

TEST_F(Trainer, RefusesLabelsThatAreNotOfTheTask) {
  Sample sample = make_sample(TrainTask::binary, 10, 10);
  sample.labels[3] = 2;
  EXPECT_EQ(
      said(sample.data(), small(TrainTask::binary)),
      "the label of training row 3 is 2, which is no binary label (0 to 1)"
  );
  EXPECT_EQ(said(sample.data(), small(TrainTask::multiclass)), "trained");
  sample.labels[3] = 0.5F;
  EXPECT_NE(said(sample.data(), small(TrainTask::multiclass)).find("row 3"), std::string::npos);
  sample.labels[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(said(sample.data(), small(TrainTask::regression)).find("row 3"), std::string::npos);
}

TEST_F(Trainer, RefusesOptionsOutsideTheirLimits) {
  const Sample sample = make_sample(TrainTask::binary, 10, 11);
  TrainOptions options = small(TrainTask::binary);
  options.max_values = 30;
  EXPECT_EQ(said(sample.data(), options), "trained");
  options.max_values = 29;
  EXPECT_NE(said(sample.data(), options).find("at most 29 are allowed"), std::string::npos);
  options = small(TrainTask::binary);
  options.learning_rate = 0;
  EXPECT_NE(said(sample.data(), options).find("learning rate"), std::string::npos);
  options = small(TrainTask::binary);
  options.trees = 0;
  EXPECT_NE(said(sample.data(), options).find("one tree"), std::string::npos);
  options = small(TrainTask::binary);
  options.feature_names = {"a", "b"};
  EXPECT_NE(said(sample.data(), options).find("2 names for the 3 features"), std::string::npos);
  options.feature_names = {"a", "b", "c[1]"};
  EXPECT_NE(said(sample.data(), options).find("'c[1]'"), std::string::npos);
  const auto ending = train_xgboost(sample.data(), {}, small(TrainTask::binary), file("m.onnx"));
  ASSERT_FALSE(ending);
  EXPECT_NE(ending.error().message.find(".ubj or .json"), std::string::npos);
}

TEST_F(Trainer, SaysWhatIsMissingWithoutTheLibrary) {
  const Sample sample = make_sample(TrainTask::binary, 10, 12);
  TrainOptions options = small(TrainTask::binary);
  options.library = "/nonexistent/libxgboost.so";
  const auto report = train_xgboost(sample.data(), {}, options, file("m.ubj"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::unavailable);
  EXPECT_NE(report.error().message.find("libxgboost-dev"), std::string::npos);
  options.library = "libc.so.6";
  const auto wrong = train_xgboost(sample.data(), {}, options, file("m.ubj"));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("is not XGBoost"), std::string::npos);
}

TEST_F(Trainer, SaysWhenTheModelCannotBeSaved) {
  const Sample sample = make_sample(TrainTask::binary, 10, 13);
  const auto report =
      train_xgboost(sample.data(), {}, small(TrainTask::binary), file("no/such/folder/m.ubj"));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("save the model"), std::string::npos)
      << report.error().message;
}

}  // namespace
}  // namespace weir::train
