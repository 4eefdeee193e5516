#include "model/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_fixture.h"

namespace weir::model {
namespace {

using testing::HasSubstr;

std::string load_error(const std::string& path, const SessionOptions& options = {}) {
  const auto session = load_session(path, options);
  EXPECT_FALSE(session) << path << " is not to be loaded";
  return session ? std::string() : session.error().message;
}

TEST(LoadSession, LoadsOnnxAndForestBehindOneInterface) {
  for (const char* name : {"electricity_v1.onnx", "electricity_v1.ubj"}) {
    const auto session = load_session(model_path(name), {});
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_EQ((*session)->signature().task, Task::binary);
    TestInference inference;
    inference.add<float>({1, 8}, {0, 0, 0, 0, 0, 0, 0, 0});
    inference.run(**session);
    EXPECT_EQ(inference.outputs[1].size(), 2U);
  }
}

TEST(LoadSession, LetsAForestStandInForItsOnnxTwin) {
  const auto onnx = load_session(model_path("electricity_v1.onnx"), {});
  const auto forest = load_session(model_path("electricity_v1.ubj"), {});
  ASSERT_TRUE(onnx && forest);
  const auto can = check_can_replace((*onnx)->signature(), (*forest)->signature());
  EXPECT_TRUE(can) << can.error().message;
  const auto back = check_can_replace((*forest)->signature(), (*onnx)->signature());
  EXPECT_TRUE(back) << back.error().message;
}

TEST(LoadSession, KnowsAModelByItsContentWhateverItsName) {
  const TemporaryFolder folder;
  const std::string path = folder.copy("linear.onnx");
  std::filesystem::rename(path, folder.path() + "/artifact");
  const auto session = load_session(folder.path() + "/artifact", {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ((*session)->signature().platform, "onnx_onnxv1");
}

TEST(LoadSession, AppliesTheSidecarBesideTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.copy("linear.onnx");
  folder.write(
      "linear.onnx.yaml",
      "inputs: {trade: {from: x, features: [price, amount, fee]}}\noutputs: {y: {from: variable}}\n"
  );
  auto session = load_session(path, {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ((*session)->signature().inputs[0].name, "trade");
  EXPECT_EQ((*session)->signature().outputs[0].name, "y");
  EXPECT_EQ((*session)->signature().features[1].name, "amount");
  TestInference inference;
  inference.add<float>({1, 3}, {1, 1, 1});
  EXPECT_EQ(inference.run(**session)[0].values<float>()[0], 111.5F);

  folder.write("linear.onnx.yaml", "input: {}\n");
  EXPECT_THAT(load_error(path), HasSubstr(path + ".yaml' line 1: unknown key 'input'"));
}

TEST(LoadSession, SaysWhatIsWrongWithTheFile) {
  const TemporaryFolder folder;
  const std::string missing = folder.path() + "/none.onnx";
  EXPECT_THAT(load_error(missing), HasSubstr("cannot load '" + missing + "': No such file"));
  EXPECT_THAT(load_error(folder.path()), HasSubstr("it is not a file"));
  EXPECT_THAT(load_error(folder.write("empty.onnx", "")), HasSubstr("it is empty"));
  const std::string message = load_error(folder.write("notes", "some notes of mine\n"));
  EXPECT_THAT(message, HasSubstr("notes': its content is no model format known"));
  EXPECT_THAT(
      message, HasSubstr("ONNX (*.onnx), XGBoost (*.ubj, *.json), LightGBM's text (*.txt)")
  );
}

TEST(LoadSession, SaysWhatToDoWithFormatsThatItKnowsOnlyByName) {
  const TemporaryFolder folder;
  EXPECT_THAT(load_error(folder.write("model.pkl", "\x80\x04\x95")), HasSubstr("Python pickle"));
  EXPECT_THAT(
      load_error(folder.write("model.pt", "PK\x03\x04zip")), HasSubstr("export the model to ONNX")
  );
  EXPECT_THAT(load_error(folder.write("model.bin", "binf....")), HasSubstr("save_model('m.ubj')"));
  EXPECT_THAT(load_error(folder.write("model.onnx", "\x89HDF\r\n")), HasSubstr("HDF5"));
}

TEST(LoadSession, HasALimitOnTheSizeOfTheFile) {
  const auto size = std::filesystem::file_size(model_path("linear.onnx"));
  SessionOptions options;
  options.max_artifact_bytes = size;
  EXPECT_TRUE(load_session(model_path("linear.onnx"), options));
  options.max_artifact_bytes = size - 1;
  EXPECT_THAT(
      load_error(model_path("linear.onnx"), options), HasSubstr("max_artifact_bytes allows")
  );
}

TEST(LoadSession, LoadsAModelThatRefusesTheWarmUp) {
  EXPECT_TRUE(load_session(model_path("refuses_zero.onnx"), {}));
}

}  // namespace
}  // namespace weir::model
