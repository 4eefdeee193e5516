#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "model/session.h"

// For tests: the models of tests/data/models, a folder that is removed, an inference that is run
// where it stands.

namespace weir::model {

inline std::string model_path(std::string_view name) {
  return std::string(WEIR_SOURCE_DIR) + "/tests/data/models/" + std::string(name);
}

// A folder for one test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir_model_XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr, "tests have a temporary folder");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string write(std::string_view name, std::string_view content) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  std::string copy(std::string_view model) const {
    const auto to = path_ / model;
    std::filesystem::copy_file(model_path(model), to);
    return to.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

class TestInference final : public Inference {
 public:
  void complete() override { ADD_FAILURE() << "the session answers inline"; }

  template <class T>
  TestInference& add(const tensor::Shape& shape, const std::vector<T>& values) {
    tensor::Tensor& tensor = inputs.emplace_back();
    tensor.reset(tensor::data_type_of<T>(), shape);
    std::ranges::copy(values, tensor.values<T>().begin());
    rows = shape.rank() > 0 ? static_cast<std::size_t>(shape[0]) : 1;
    return *this;
  }
  TestInference& add_texts(const tensor::Shape& shape, const std::vector<std::string>& values) {
    tensor::Tensor& tensor = inputs.emplace_back();
    tensor.reset(tensor::DataType::bytes, shape);
    for (const std::string& value : values) tensor.add_string(value);
    return *this;
  }
  // The answer, after checking that there is one.
  const std::vector<tensor::Tensor>& run(Session& session) {
    EXPECT_EQ(session.infer(*this), Progress::done);
    EXPECT_TRUE(status) << status.error().message;
    return outputs;
  }
};

template <class T>
std::vector<T> values_of(const tensor::Tensor& tensor) {
  EXPECT_EQ(tensor.datatype(), tensor::data_type_of<T>());
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

inline std::vector<std::string> texts_of(const tensor::Tensor& tensor) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < tensor.size(); ++i) texts.emplace_back(tensor.string(i));
  return texts;
}

}  // namespace weir::model
