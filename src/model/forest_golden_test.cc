#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/forest_session.h"

// Weir's forest against the libraries that trained it: tests/golden/models/generate.py says how the
// files came about.

namespace weir::model {
namespace {

using testing::HasSubstr;

struct Table {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> numbers;
};

struct Expected {
  Table input;
  std::map<std::string, Table> outputs;
};

class Synchronous final : public Inference {
 public:
  void complete() override { FAIL() << "a forest answers at once"; }
};

std::filesystem::path golden_folder() {
  return std::filesystem::path(WEIR_SOURCE_DIR) / "tests/golden/models";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

Expected read_expected(const std::filesystem::path& path) {
  std::ifstream file(path);
  Expected expected;
  std::string word;
  while (file >> word) {
    if (word == "#") {
      std::getline(file, word);
      continue;
    }
    std::string name;
    if (word == "output") file >> name;
    Table& table = word == "output" ? expected.outputs[name] : expected.input;
    file >> table.rows >> table.columns;
    table.numbers.resize(table.rows * table.columns);
    for (double& number : table.numbers) {
      file >> word;
      number = std::stod(word);  // It knows "nan", which >> does not.
    }
  }
  return expected;
}

std::filesystem::path model_of(const std::filesystem::path& expected) {
  for (const char* extension : {".json", ".ubj", ".txt"}) {
    std::filesystem::path path = expected;
    path.replace_extension(extension);
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

std::vector<std::filesystem::path> golden_files(const std::string& ending) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    if (entry.path().filename().string().ends_with(ending)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Rows `first` to `first + count` as one request.
void infer(
    Session& session, const Table& input, std::size_t first, std::size_t count, Inference& inference
) {
  inference.inputs.resize(1);
  inference.inputs[0].reset(
      tensor::DataType::fp32,
      {static_cast<std::int64_t>(count), static_cast<std::int64_t>(input.columns)}
  );
  auto values = inference.inputs[0].values<float>();
  for (std::size_t index = 0; index < values.size(); ++index) {
    values[index] = static_cast<float>(input.numbers[first * input.columns + index]);
  }
  ASSERT_EQ(session.infer(inference), Progress::done);
  ASSERT_TRUE(inference.status) << inference.status.error().message;
}

void expect_rows(
    const Session& session, const Inference& inference, const Expected& expected, std::size_t first
) {
  for (const auto& [name, table] : expected.outputs) {
    const auto& specs = session.signature().outputs;
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& each) {
      return each.name == name;
    });
    ASSERT_NE(spec, specs.end()) << name;
    const auto& output = inference.outputs[static_cast<std::size_t>(spec - specs.begin())];
    ASSERT_EQ(output.size() % table.columns, 0U);
    for (std::size_t index = 0; index < output.size(); ++index) {
      const double wanted = table.numbers[first * table.columns + index];
      const double tolerance = 1e-6 * std::max(1.0, std::fabs(wanted));
      EXPECT_NEAR(tensor::to_double(output, index), wanted, tolerance)
          << name << ", row " << first + index / table.columns;
    }
  }
}

TEST(ForestGolden, AnswersWhatTheLibraryAnsweredThatTrainedTheModel) {
  const auto paths = golden_files(".expected");
  ASSERT_GE(paths.size(), 60U);
  for (const auto& path : paths) {
    SCOPED_TRACE(path.stem().string());
    const auto model = model_of(path);
    const auto session = load_forest(read_file(model), model.filename().string(), {});
    ASSERT_TRUE(session) << session.error().message;
    const Expected expected = read_expected(path);
    ASSERT_GE(expected.input.rows, 15U);
    ASSERT_FALSE(expected.outputs.empty());
    Synchronous inference;
    // All rows at once (eight side by side), then each by itself (eight trees side by side).
    infer(**session, expected.input, 0, expected.input.rows, inference);
    expect_rows(**session, inference, expected, 0);
    for (std::size_t row = 0; row < expected.input.rows; ++row) {
      infer(**session, expected.input, row, 1, inference);
      expect_rows(**session, inference, expected, row);
    }
  }
}

TEST(ForestGolden, SaysWhyItRefusesModelsWithoutPlainTrees) {
  const std::map<std::string, std::string> reasons = {
      {"xgboost_1_linear_refused.json", "booster is 'gblinear', which has no trees"},
      {"xgboost_3_linear_refused.json", "booster is 'gblinear', which has no trees"},
      {"xgboost_2_vector_refused.ubj", "its leaves are vectors"},
      {"xgboost_3_vector_refused.ubj", "its leaves are vectors"},
      {"lightgbm_4_linear_refused.txt", "its leaves are linear models"}};
  std::size_t seen = 0;
  for (const auto& path : golden_files("")) {
    if (path.stem().string().find("_refused") == std::string::npos) continue;
    const std::string name = path.filename().string();
    const auto session = load_forest(read_file(path), name, {});
    ASSERT_FALSE(session) << name;
    EXPECT_EQ(session.error().code, Code::invalid_argument);
    EXPECT_THAT(session.error().message, HasSubstr("the model file '" + name + "'"));
    ASSERT_TRUE(reasons.contains(name)) << name;
    EXPECT_THAT(session.error().message, HasSubstr(reasons.at(name)));
    ++seen;
  }
  EXPECT_EQ(seen, reasons.size());
}

// The prefix of a model is never a model, and reading one never reads beyond its end (the
// sanitizers watch).
TEST(ForestGolden, RefusesEveryTruncatedModel) {
  for (const char* name :
       {"xgboost_3_binary_ubj.ubj", "xgboost_3_categorical.json", "lightgbm_4_categorical.txt"}) {
    SCOPED_TRACE(name);
    std::string bytes = read_file(golden_folder() / name);
    const std::size_t end = std::min(bytes.find("end of trees"), bytes.size() - 1);
    for (std::size_t size = 0; size < end; size += 1 + size / 300) {
      const auto session = load_forest(bytes.substr(0, size), name, {});
      ASSERT_FALSE(session) << "at " << size << " bytes";
      EXPECT_THAT(session.error().message, HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace weir::model
