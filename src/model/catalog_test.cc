#include "model/catalog.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/id.h"

namespace weir::model {
namespace {

class CatalogTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = make_uuid7(now_us()).text();
    folder_ = std::filesystem::temp_directory_path() / std::string(text.data(), text.size());
    catalog_ = Catalog::open({.folder = folder_ / "artifacts", .max_artifact_bytes = 10}).value();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::optional<Catalog> catalog_;
};

TEST_F(CatalogTest, KeepsTheSameContentOnce) {
  const Artifact first = catalog_->add_bytes("a.onnx", "model", "").value();
  const Artifact again = catalog_->add_bytes("b.onnx", "model", "").value();
  EXPECT_EQ(first.sha256, again.sha256);
  EXPECT_EQ(again.file_name, "a.onnx");
  EXPECT_EQ(catalog_->list().size(), 1U);
}

TEST_F(CatalogTest, ASidecarMakesAnotherVersion) {
  const Artifact plain = catalog_->add_bytes("a.onnx", "model", "").value();
  const Artifact described = catalog_->add_bytes("a.onnx", "model", "task: binary\n").value();
  EXPECT_NE(plain.sha256, described.sha256);
  EXPECT_FALSE(plain.has_sidecar);
  EXPECT_TRUE(described.has_sidecar);
}

TEST_F(CatalogTest, TakesTheSidecarBesideAFile) {
  std::ofstream(folder_ / "m.ubj") << "model";
  std::ofstream(folder_ / "m.ubj.yaml") << "task: binary\n";
  const Artifact artifact = catalog_->add_file(folder_ / "m.ubj").value();
  EXPECT_TRUE(artifact.has_sidecar);
  EXPECT_EQ(artifact.file_name, "m.ubj");
  EXPECT_EQ(artifact.bytes, 5U);
}

TEST_F(CatalogTest, ANameCannotLeaveTheFolder) {
  const Artifact artifact = catalog_->add_bytes("../../evil name.onnx", "model", "").value();
  EXPECT_EQ(artifact.file_name, "evil_name.onnx");
  EXPECT_TRUE(artifact.path.starts_with((folder_ / "artifacts").string()));
}

TEST_F(CatalogTest, RefusesWhatIsMissingEmptyOrTooLarge) {
  EXPECT_EQ(catalog_->add_file(folder_ / "no.onnx").error().code, Code::not_found);
  EXPECT_EQ(catalog_->add_file(folder_).error().code, Code::invalid_argument);
  EXPECT_EQ(catalog_->add_bytes("a.onnx", "", "").error().code, Code::invalid_argument);
  EXPECT_TRUE(catalog_->add_bytes("a.onnx", "0123456789", "").has_value());
  EXPECT_EQ(catalog_->add_bytes("a.onnx", "0123456789a", "").error().code, Code::invalid_argument);
}

TEST_F(CatalogTest, ForgetsWhatIsRemoved) {
  const Artifact artifact = catalog_->add_bytes("a.onnx", "model", "x: 1\n").value();
  EXPECT_TRUE(catalog_->remove(artifact.sha256).has_value());
  EXPECT_EQ(catalog_->find(artifact.sha256).error().code, Code::not_found);
  EXPECT_EQ(catalog_->find("../artifacts").error().code, Code::not_found);
  EXPECT_TRUE(catalog_->list().empty());
}

}  // namespace
}  // namespace weir::model
