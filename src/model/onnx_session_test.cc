#include "model/onnx_session.h"

#include <array>
#include <cmath>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "model/model_fixture.h"
#include "model/onnx_library.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Session> load(std::string_view name) {
  auto session = load_onnx(model_path(name), {});
  EXPECT_TRUE(session) << session.error().message;
  return session ? std::move(*session) : nullptr;
}

std::string load_error(const std::string& path) {
  const auto session = load_onnx(path, {});
  EXPECT_FALSE(session) << path << " is not to be loaded";
  return session ? std::string() : session.error().message;
}

// What the Python packages answered when the models were made.
class Expected {
 public:
  explicit Expected(const std::string& file) {
    CHECK(parser_.load(model_path(file)).get(root_) == simdjson::SUCCESS, "the file is there");
  }
  std::vector<float> numbers(const char* key) const {
    std::vector<float> all;
    append(root_[key], all);
    return all;
  }

 private:
  static void append(simdjson::dom::element element, std::vector<float>& all) {
    if (element.is_array()) {
      for (const auto item : element.get_array()) append(item, all);
    } else {
      all.push_back(static_cast<float>(double(element)));
    }
  }
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

void expect_near(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2e-6) << i;
}

TEST(OnnxSession, ReadsNamesTypesAndShapesFromTheFile) {
  const auto session = load("linear.onnx");
  const Signature& signature = session->signature();
  EXPECT_EQ(signature.platform, "onnx_onnxv1");
  ASSERT_EQ(signature.inputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_EQ(signature.inputs[0].datatype, DataType::fp32);
  EXPECT_EQ(signature.inputs[0].shape, (Shape{-1, 3}));
  EXPECT_TRUE(signature.has_row_axis);
  EXPECT_EQ(signature.task, Task::regression);
  EXPECT_GE(session->memory_bytes(), std::filesystem::file_size(model_path("linear.onnx")));
}

TEST(OnnxSession, AnswersOneRowAndManyAndNone) {
  const auto session = load("linear.onnx");
  TestInference inference;
  inference.add<float>({1, 3}, {1, 2, 3});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(321.5F));
  EXPECT_GE(inference.run_ns, 0);
  inference.inputs.clear();
  inference.add<float>({3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(1.5F, 10.5F, 100.5F));
  EXPECT_EQ(inference.outputs[0].shape(), (Shape{3, 1}));
  inference.inputs.clear();
  inference.add<float>({0, 3}, {});
  EXPECT_EQ(inference.run(*session)[0].shape(), (Shape{0, 1}));
}

TEST(OnnxSession, KeepsAnswersApartWhenManyThreadsRunAtOnce) {
  const auto session = load("linear.onnx");
  std::vector<std::thread> threads;
  std::array<int, 8> wrong{};
  for (std::size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      TestInference inference;
      inference.add<float>({1, 3}, {0, 0, 0});
      for (int i = 0; i < 500; ++i) {
        const auto value = static_cast<float>(i) + static_cast<float>(thread) * 1000;
        inference.inputs[0].values<float>()[0] = value;
        if (inference.run(*session)[0].values<float>()[0] != value + 0.5F) ++wrong[thread];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(OnnxSession, CarriesEveryDatatypeOfTheProtocol) {
  const auto session = load("every_type.onnx");
  ASSERT_EQ(session->signature().inputs.size(), 14U);
  for (const std::int64_t rows : {1, 4}) {
    TestInference inference;
    for (const TensorSpec& input : session->signature().inputs) {
      tensor::Tensor& tensor = inference.inputs.emplace_back();
      tensor.reset(input.datatype, {rows, 2});
      if (input.datatype == DataType::bytes) {
        for (std::int64_t i = 0; i < rows * 2; ++i) tensor.add_string(std::string("a\0ü", 4));
      } else {
        for (std::byte& byte : tensor.raw()) byte = std::byte{1};
      }
    }
    inference.run(*session);
    for (std::size_t i = 0; i < 14; ++i) {
      const tensor::Tensor& in = inference.inputs[i];
      const tensor::Tensor& out = inference.outputs[i];
      EXPECT_EQ(out.datatype(), in.datatype());
      EXPECT_EQ(out.shape(), in.shape());
      EXPECT_TRUE(std::ranges::equal(out.raw(), in.raw())) << tensor::to_string(in.datatype());
      if (in.datatype() == DataType::bytes) {
        EXPECT_EQ(texts_of(out), texts_of(in));
      }
    }
  }
}

TEST(OnnxSession, TakesSeveralInputsAndGivesSeveralOutputs) {
  const auto session = load("two_inputs.onnx");
  for (const std::int64_t rows : {1, 2}) {
    TestInference inference;
    const auto count = static_cast<std::size_t>(rows * 2);
    inference.add<float>({rows, 2}, std::vector<float>(count, 3));
    inference.add<float>({rows, 2}, std::vector<float>(count, 4));
    inference.run(*session);
    EXPECT_THAT(values_of<float>(inference.outputs[0]), testing::Each(7.0F));
    EXPECT_THAT(values_of<float>(inference.outputs[1]), testing::Each(12.0F));
  }
}

TEST(OnnxSession, FollowsEveryVariableAxis) {
  const auto session = load("dynamic_axes.onnx");
  EXPECT_EQ(session->signature().outputs[0].shape, (Shape{-1, 2, -1}));
  TestInference inference;
  inference.add<float>({1, 3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(1, 3, 5, 2, 4, 6));
  EXPECT_EQ(inference.outputs[0].shape(), (Shape{1, 2, 3}));
}

TEST(OnnxSession, GivesAnswersWhoseShapeDependsOnTheValues) {
  const auto where = load("data_dependent.onnx");
  TestInference inference;
  inference.add<float>({2, 2}, {0, 5, 6, 0});
  EXPECT_THAT(values_of<std::int64_t>(inference.run(*where)[0]), ElementsAre(0, 1, 1, 0));
  EXPECT_EQ(inference.outputs[0].shape(), (Shape{2, 2}));

  const auto compress = load("compress.onnx");
  TestInference other;
  other.add<float>({4}, {1, 0, 2, 0});
  EXPECT_THAT(values_of<float>(other.run(*compress)[0]), ElementsAre(1, 2));
}

// It looked as if the answer had as many rows as the question, and then it had fewer.
TEST(OnnxSession, UnlearnsAShapeThatDependsOnTheValues) {
  const auto session = load("keep_zeros.onnx");
  for (int i = 0; i < 3; ++i) {
    TestInference inference;
    inference.add<float>({3}, {0, 1, 0});
    EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(0, 0));
    TestInference one;
    one.add<float>({1}, {1});
    EXPECT_EQ(one.run(*session)[0].shape(), (Shape{0}));
  }
}

TEST(OnnxSession, CountsAFixedShapeAsOneRow) {
  const auto session = load("fixed_shape.onnx");
  EXPECT_FALSE(session->signature().has_row_axis);
  TestInference inference;
  inference.add<float>({1, 2, 2}, {-1, 2, -3, 4});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(0, 2, 0, 4));
}

TEST(OnnxSession, TakesAScalar) {
  const auto session = load("scalar.onnx");
  TestInference inference;
  inference.add<float>({}, {4});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(-4));
  EXPECT_EQ(inference.outputs[0].shape().rank(), 0U);
}

TEST(OnnxSession, LeavesOptionalInputsAtTheValueOfTheModel) {
  const auto session = load("optional_input.onnx");
  ASSERT_EQ(session->signature().inputs.size(), 1U);
  TestInference inference;
  inference.add<float>({1, 1}, {2});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(6));
}

TEST(OnnxSession, TakesAndGivesStrings) {
  const auto session = load("strings.onnx");
  TestInference inference;
  inference.add_texts({3, 1}, {"Wien", "", "Bern"});
  inference.run(*session);
  EXPECT_THAT(values_of<std::int64_t>(inference.outputs[0]), ElementsAre(2, -1, 1));
  EXPECT_THAT(texts_of(inference.outputs[1]), ElementsAre("Wien", "", "Bern"));
}

TEST(OnnxSession, RunsWideRowsWithoutCopyingThem) {
  const auto session = load("wide.onnx");
  for (const std::int64_t rows : {1, 2}) {
    TestInference inference;
    inference.add<float>(
        {rows, 3000}, std::vector<float>(static_cast<std::size_t>(rows) * 3000, 2)
    );
    EXPECT_THAT(values_of<float>(inference.run(*session)[0]), testing::Each(-2.0F));
  }
}

TEST(OnnxSession, MakesATensorOfTheMapsOfZipMap) {
  const Expected expected("expected.json");
  const auto session = load("iris_zipmap.onnx");
  const Signature& signature = session->signature();
  EXPECT_EQ(signature.outputs[1].shape, (Shape{-1, 3}));
  EXPECT_EQ(signature.outputs[1].datatype, DataType::fp32);
  EXPECT_THAT(signature.classes, ElementsAre("setosa", "versicolor", "virginica"));
  EXPECT_EQ(signature.task, Task::multiclass);

  TestInference inference;
  inference.add<float>({3, 4}, expected.numbers("iris_rows"));
  inference.run(*session);
  EXPECT_EQ(inference.outputs[1].shape(), (Shape{3, 3}));
  EXPECT_THAT(texts_of(inference.outputs[0]), ElementsAre("setosa", "versicolor", "virginica"));
  expect_near(values_of<float>(inference.outputs[1]), expected.numbers("iris_probabilities"));
}

TEST(OnnxSession, NamesTheClassesOfAMapWithNumbersForKeys) {
  const Expected expected("expected.json");
  const auto session = load("binary_zipmap.onnx");
  EXPECT_THAT(session->signature().classes, ElementsAre("0", "1"));
  EXPECT_EQ(session->signature().task, Task::binary);
  EXPECT_EQ(session->signature().score->index, 1U);
  TestInference inference;
  inference.add<float>({3, 4}, expected.numbers("iris_rows"));
  inference.run(*session);
  expect_near(values_of<float>(inference.outputs[1]), expected.numbers("binary_probabilities"));
}

TEST(OnnxSession, AgreesWithThePackagesThatMadeTheModels) {
  const Expected expected("expected.json");
  const auto probabilities = [&](std::string_view model) {
    TestInference inference;
    inference.add<float>({3, 4}, expected.numbers("iris_rows"));
    return values_of<float>(inference.run(*load(model))[1]);
  };
  expect_near(probabilities("iris_tensor.onnx"), expected.numbers("iris_probabilities"));
  expect_near(probabilities("xgboost_multiclass.onnx"), expected.numbers("xgboost_probabilities"));

  const auto mixed = load("mixed_columns.onnx");
  TestInference inference;
  inference.add<float>({2, 1}, {40, 70}).add_texts({2, 1}, {"Wien", "Bern"});
  inference.run(*mixed);
  expect_near(values_of<float>(inference.outputs[1]), expected.numbers("mixed_columns"));
}

TEST(OnnxSession, AgreesWithXgboostOnElectricityRowByRowAndInOneBatch) {
  const Expected expected("electricity_rows.json");
  const auto rows = expected.numbers("rows");
  const auto probabilities = expected.numbers("probabilities");
  const auto session = load("electricity_v1.onnx");
  EXPECT_EQ(session->signature().task, Task::binary);
  TestInference batch;
  batch.add<float>({200, 8}, rows);
  batch.run(*session);
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(i * 8);
    TestInference one;
    one.add<float>({1, 8}, {begin, begin + 8});
    one.run(*session);
    EXPECT_NEAR(one.outputs[1].values<float>()[1], probabilities[i], 1e-6);
    EXPECT_EQ(one.outputs[1].values<float>()[1], batch.outputs[1].values<float>()[i * 2 + 1]);
    EXPECT_EQ(one.outputs[0].values<std::int64_t>()[0], probabilities[i] > 0.5F ? 1 : 0);
  }
}

TEST(OnnxSession, SaysWhichModelFailedAndGoesOn) {
  const auto session = load("gather.onnx");
  for (const std::int64_t rows : {1, 2}) {
    TestInference bad;
    bad.add<std::int64_t>({rows}, std::vector<std::int64_t>(static_cast<std::size_t>(rows), 99));
    EXPECT_EQ(session->infer(bad), Progress::done);
    ASSERT_FALSE(bad.status);
    EXPECT_THAT(bad.status.error().message, HasSubstr("model 'gather.onnx' failed: "));
    EXPECT_THAT(bad.status.error().message, HasSubstr("idx=99"));
    EXPECT_THAT(bad.status.error().message, testing::Not(HasSubstr("\n")));
    TestInference good;
    good.add<std::int64_t>({2}, {2, 0});
    EXPECT_THAT(values_of<float>(good.run(*session)[0]), ElementsAre(9, 7));
  }
}

TEST(OnnxSession, LoadsAModelThatRefusesTheMadeUpInput) {
  const auto session = load("refuses_zero.onnx");
  TestInference inference;
  inference.add<std::int64_t>({2}, {1, 3});
  EXPECT_THAT(values_of<float>(inference.run(*session)[0]), ElementsAre(7, 9));
}

TEST(OnnxSession, RefusesWhatIsNotAModelByNameAndWithTheFix) {
  const TemporaryFolder folder;
  const std::string text = folder.write("notes.onnx", "these are notes, not a model\n");
  EXPECT_THAT(load_error(text), HasSubstr("cannot load '" + text + "': it is not an ONNX model"));
  EXPECT_THAT(load_error(folder.path() + "/none.onnx"), HasSubstr("none.onnx"));
}

TEST(OnnxSession, RefusesAModelThatIsCutShort) {
  const TemporaryFolder folder;
  std::ifstream file(model_path("iris_tensor.onnx"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  for (const std::size_t size : {whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    const std::string path = folder.write("cut.onnx", whole.substr(0, size));
    EXPECT_THAT(load_error(path), HasSubstr("cannot load '" + path + "'")) << size;
  }
}

TEST(OnnxSession, SaysWhichOperatorIsLacking) {
  const std::string message = load_error(model_path("unknown_operator.onnx"));
  EXPECT_THAT(message, HasSubstr("Frobnicate"));
  EXPECT_THAT(message, HasSubstr("unknown_operator.onnx"));
  EXPECT_THAT(message, HasSubstr("WEIR_ONNXRUNTIME"));
}

TEST(OnnxSession, RefusesAnOpsetOfTheFutureWithoutQuotingSources) {
  const std::string message = load_error(model_path("future_opset.onnx"));
  EXPECT_THAT(message, HasSubstr("999"));
  EXPECT_THAT(message, testing::Not(HasSubstr("onnxruntime_src")));
}

TEST(OnnxSession, RefusesInputsAndOutputsThatAreNoTensors) {
  EXPECT_THAT(load_error(model_path("map_input.onnx")), HasSubstr("input 'x' is a map"));
  EXPECT_THAT(
      load_error(model_path("sequence_output.onnx")),
      HasSubstr("output 'y' is a sequence of tensors")
  );
}

// AddressSanitizer keeps freed memory in quarantine, so there the bound is the wrong one.
#ifndef __SANITIZE_ADDRESS__
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

TEST(OnnxSession, GivesItsMemoryBackWhenItIsUnloaded) {
  const auto use = [](std::string_view model, const Shape& shape) {
    const auto session = load(model);
    TestInference inference;
    const auto count = static_cast<std::size_t>(*shape.element_count());
    inference.add<float>(shape, std::vector<float>(count, 1));
    inference.run(*session);
  };
  const auto use_both = [&] {
    use("electricity_v1.onnx", {1, 8});
    use("heavy.onnx", {1});  // 8 MB and more while it runs.
  };
  for (int i = 0; i < 5; ++i) use_both();
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 50; ++i) use_both();
  EXPECT_LE(resident_bytes(), before + (2U << 20));
}
#endif

TEST(OnnxLibrary, IsLoadedOnceAndSaysWhereFrom) {
  const auto first = onnx_library({});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE((*first)->path.empty());
  SessionOptions others;
  others.onnx_threads = 3;
  EXPECT_EQ(*first, *onnx_library(others));
}

// Each runs in a process of its own, because the library of this one may be loaded already.
TEST(OnnxLibraryDeathTest, SaysWhatIsMissingAndHowToNameIt) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto print_error = [](const std::string& library) {
    SessionOptions options;
    options.onnx_library = library;
    const auto session = load_onnx(model_path("linear.onnx"), options);
    std::fprintf(stderr, "%s", session ? "loaded" : session.error().message.c_str());
    std::_Exit(session ? 0 : 7);
  };
  EXPECT_EXIT(
      print_error("/nowhere/libonnxruntime.so"),
      testing::ExitedWithCode(7),
      "cannot load ONNX Runtime from '/nowhere/libonnxruntime.so', which the option"
  );
  EXPECT_EXIT(
      {
        ::setenv("WEIR_ONNXRUNTIME", "/elsewhere/lib.so", 1);
        print_error("");
      },
      testing::ExitedWithCode(7),
      "'/elsewhere/lib.so', which the environment variable WEIR_ONNXRUNTIME names"
  );
  EXPECT_EXIT(
      print_error("libm.so.6"), testing::ExitedWithCode(7), "'libm.so.6' is not ONNX Runtime"
  );
}

// The library would report to its maker, from a thread of its own and a database on disk.
TEST(OnnxLibraryDeathTest, StartsNoThreadAndOpensNoFileOfItsOwn) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto look = [] {
    const TemporaryFolder home;
    ::setenv("HOME", home.path().c_str(), 1);
    ::unsetenv("XDG_CACHE_HOME");
    const auto count = [](const char* folder) {
      return std::distance(std::filesystem::directory_iterator(folder), {});
    };
    const auto threads = count("/proc/self/task");
    const auto files = count("/proc/self/fd");
    bool is_quiet = false;
    {
      const auto session = load_onnx(model_path("linear.onnx"), {});
      is_quiet = session.has_value() && count("/proc/self/task") == threads &&
                 count("/proc/self/fd") == files && std::filesystem::is_empty(home.path());
    }
    std::filesystem::remove_all(home.path());
    std::_Exit(is_quiet ? 0 : 8);
  };
  EXPECT_EXIT(look(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weir::model
