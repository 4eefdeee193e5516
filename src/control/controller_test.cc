#include "control/controller.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/id.h"
#include "ledger/record.h"

namespace weir::control {
namespace {

namespace fs = std::filesystem;

const rollout::Reason by_test{.by = "test", .text = "because"};

std::string model_path(const std::string& name) {
  return std::string(WEIR_SOURCE_DIR) + "/tests/data/models/" + name;
}

// A controller on a folder; opened again it is what a restart finds.
struct Server {
  explicit Server(const fs::path& folder, ControllerOptions options = {}) {
    fs::create_directories(folder);
    store = store::open_sqlite((folder / "store.sqlite").string()).value();
    catalog = model::Catalog::open({.folder = (folder / "artifacts").string()}).value();
    controller =
        std::make_unique<Controller>(std::move(options), *store, *catalog, routes, registry);
    opened = controller->open();
  }
  const serve::EndpointRoute& route() const {
    table = routes.load();
    return *table->at("e");
  }
  std::uint32_t primary() const { return route().primary.version->number(); }

  std::unique_ptr<store::Store> store;
  std::optional<model::Catalog> catalog;
  serve::Routes routes;
  metrics::Registry registry;
  std::unique_ptr<Controller> controller;
  Result<void> opened;
  mutable std::shared_ptr<const serve::RouteTable> table;
};

class ControllerTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = make_uuid7(now_us()).text();
    folder_ = fs::temp_directory_path() / std::string(text.data(), text.size());
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Result<EndpointView> deploy(
      Server& server, const std::string& model, const std::string& stages = "shadow,5,100"
  ) {
    Deployment deployment{.endpoint = "e", .file_name = model, .path = model_path(model)};
    deployment.plan = rollout::parse_stages(stages).value();
    return server.controller->deploy(deployment, by_test);
  }

  fs::path folder_;
};

TEST_F(ControllerTest, TheFirstVersionIsPrimaryAtOnceAndTheSecondIsLaunched) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  EXPECT_EQ(server.primary(), 1U);
  ASSERT_TRUE(deploy(server, "electricity_v1.ubj").has_value());
  EXPECT_EQ(server.route().shadows.size(), 1U);
  EXPECT_EQ(server.route().candidate.version, nullptr);
  const auto promote = [&] {
    return server.controller->promote("e", rollout::Reach::next_stage, by_test);
  };
  ASSERT_TRUE(promote().has_value());
  EXPECT_EQ(server.route().candidate_ppm, 50'000U);
  EXPECT_EQ(server.route().stage, "canary 5%");
  EXPECT_TRUE(server.route().shadows.empty());
  ASSERT_TRUE(promote().has_value());
  EXPECT_EQ(server.route().candidate_ppm, rollout::whole_ppm);
  EXPECT_EQ(server.primary(), 1U);
  ASSERT_TRUE(promote().has_value());
  EXPECT_EQ(server.primary(), 2U);
  EXPECT_EQ(server.route().candidate.version, nullptr);
}

TEST_F(ControllerTest, ARollbackKeepsTheVeryInstanceThatServedBefore) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const auto before = server.route().primary.version;
  ASSERT_TRUE(deploy(server, "electricity_v1.ubj", "100").has_value());
  ASSERT_TRUE(server.controller->promote("e", rollout::Reach::end, by_test).has_value());
  EXPECT_EQ(server.primary(), 2U);
  ASSERT_TRUE(server.controller->rollback("e", by_test).has_value());
  EXPECT_EQ(server.route().primary.version, before);
}

TEST_F(ControllerTest, ARestartFindsTheRolloutWhereItWas) {
  std::string before;
  {
    Server server(folder_);
    ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
    ASSERT_TRUE(deploy(server, "electricity_v1.ubj").has_value());
    ASSERT_TRUE(server.controller->promote("e", rollout::Reach::next_stage, by_test).has_value());
    before = to_json(server.controller->describe("e")->state);
  }
  Server server(folder_);
  ASSERT_TRUE(server.opened.has_value());
  EXPECT_EQ(to_json(server.controller->describe("e")->state), before);
  EXPECT_EQ(server.route().candidate_ppm, 50'000U);
  const auto decisions = server.controller->decisions("e", 10);
  ASSERT_TRUE(decisions.has_value());
  EXPECT_EQ(decisions->size(), 3U);  // create, start, promote
}

TEST_F(ControllerTest, WhatCannotBeLoadedTouchesNothing) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const Deployment garbage{.endpoint = "e", .file_name = "x.onnx", .bytes = "not a model"};
  const auto refused = server.controller->deploy(garbage, by_test);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_EQ(server.controller->describe("e")->versions.size(), 1U);
  EXPECT_EQ(server.catalog->list().size(), 1U);
  const auto misfit = deploy(server, "two_inputs.onnx");
  ASSERT_FALSE(misfit.has_value());
  EXPECT_NE(misfit.error().message.find("sidecar"), std::string::npos);
}

TEST_F(ControllerTest, MovesWithoutARolloutAndUnknownNamesAreClear) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const auto idle = server.controller->promote("e", rollout::Reach::end, by_test);
  ASSERT_FALSE(idle.has_value());
  EXPECT_EQ(idle.error().code, Code::conflict);
  const auto unknown = server.controller->rollback("nobody", by_test);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::not_found);
  for (const char* name : {"", "/x", "x/", "a\nb"}) {
    const Deployment bad{.endpoint = name, .path = model_path("linear.onnx")};
    EXPECT_EQ(server.controller->deploy(bad, by_test).error().code, Code::invalid_argument) << name;
  }
}

TEST_F(ControllerTest, ALastingShadowStandsBesideARolloutAndEnds) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const Deployment shadow{
      .endpoint = "e",
      .file_name = "electricity_v1.ubj",
      .path = model_path("electricity_v1.ubj"),
      .as_shadow = true};
  ASSERT_TRUE(server.controller->deploy(shadow, by_test).has_value());
  EXPECT_EQ(server.route().shadows.size(), 1U);
  EXPECT_FALSE(server.controller->remove_version("e", 1).has_value());
  ASSERT_TRUE(server.controller->remove_version("e", 2).has_value());
  EXPECT_TRUE(server.route().shadows.empty());
  // A second removal forgets the version itself, and its artifact.
  ASSERT_TRUE(server.controller->remove_version("e", 2).has_value());
  EXPECT_EQ(server.catalog->list().size(), 1U);
}

TEST_F(ControllerTest, TheNumberOfShadowsIsLimited) {
  Server server(folder_, {.max_shadows = 0});
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const Deployment shadow{
      .endpoint = "e", .path = model_path("electricity_v1.ubj"), .as_shadow = true};
  const auto refused = server.controller->deploy(shadow, by_test);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::exhausted);
  EXPECT_NE(refused.error().message.find("max_shadows"), std::string::npos);
}

TEST_F(ControllerTest, ATickEndsTheBakeAndUnloadsWhatIsCold) {
  Server server(folder_, {.keep_warm_us = 60 * us_per_second});
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  ASSERT_TRUE(deploy(server, "electricity_v1.ubj", "100").has_value());
  const Moment now = now_us();
  server.controller->tick(now);
  EXPECT_EQ(server.primary(), 1U);
  server.controller->tick(now + rollout::default_bake_us + us_per_second);
  EXPECT_EQ(server.primary(), 2U);
  EXPECT_EQ(server.route().pinned.size(), 2U);
  const Moment later = now + rollout::default_bake_us + 120 * us_per_second;
  server.controller->tick(later);
  EXPECT_EQ(server.route().pinned.size(), 1U);
  // A rollback long after brings the old version back from the catalog.
  ASSERT_TRUE(server.controller->rollback("e", by_test).has_value());
  EXPECT_EQ(server.primary(), 1U);
}

TEST_F(ControllerTest, UnloadingSurvivesARestartAndLoadingEndsIt) {
  {
    Server server(folder_);
    ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
    ASSERT_TRUE(server.controller->unload("e").has_value());
    EXPECT_FALSE(server.route().is_ready());
  }
  Server server(folder_);
  EXPECT_FALSE(server.route().is_ready());
  ASSERT_TRUE(server.controller->load("e").has_value());
  EXPECT_TRUE(server.route().is_ready());
}

TEST_F(ControllerTest, WhatCouldNotBeLoadedIsTriedAgain) {
  const fs::path aside = folder_ / "aside";
  fs::path artifact;
  {
    Server server(folder_);
    ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
    artifact = server.catalog->list().front().path;
  }
  fs::rename(artifact, aside);
  Server server(folder_, {.load_retry_us = 10 * us_per_second});
  ASSERT_TRUE(server.opened.has_value());
  EXPECT_FALSE(server.controller->describe("e")->is_ready());
  const auto refused = server.controller->load("e");
  EXPECT_NE(refused.error().message.find("version 1 of 'e'"), std::string::npos);
  fs::rename(aside, artifact);
  server.controller->tick(now_us());
  EXPECT_FALSE(server.route().is_ready());  // Not before load_retry_us has passed.
  server.controller->tick(now_us() + 11 * us_per_second);
  EXPECT_TRUE(server.route().is_ready());
  EXPECT_TRUE(server.controller->describe("e")->is_ready());
}

TEST_F(ControllerTest, NumbersOfRemovedVersionsAndRolloutsNeverComeBack) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  ASSERT_TRUE(deploy(server, "electricity_v1.ubj").has_value());
  ASSERT_TRUE(server.controller->rollback("e", by_test).has_value());
  ASSERT_TRUE(server.controller->remove_version("e", 2).has_value());
  const auto again = deploy(server, "electricity_v1.ubj");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->state.versions.back().number, 3U);
  EXPECT_EQ(again->state.rollout->number, 2U);
}

TEST_F(ControllerTest, AnUnloadedEndpointTakesNoNewVersion) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  ASSERT_TRUE(server.controller->unload("e").has_value());
  const auto refused = deploy(server, "linear.onnx");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_NE(refused.error().message.find("load it first"), std::string::npos);
}

TEST_F(ControllerTest, NamesThatSqlCannotTellApartAreRefused) {
  Server server(folder_);
  const auto make = [&](const std::string& name) {
    return server.controller->deploy(
        {.endpoint = name, .path = model_path("linear.onnx")}, by_test
    );
  };
  ASSERT_TRUE(make("Prices").has_value());
  EXPECT_EQ(make("prices").error().code, Code::conflict);
  EXPECT_EQ(make("x_Feedback").error().code, Code::invalid_argument);
  EXPECT_EQ(make("x_pairs").error().code, Code::invalid_argument);
  EXPECT_EQ(make("\xff\xfe").error().code, Code::invalid_argument);
  EXPECT_TRUE(make("pr\xc3\xa4zise").has_value());
}

TEST_F(ControllerTest, AVersionThatCrashedTheProcessIsRolledBack) {
  Server server(folder_);
  ASSERT_TRUE(deploy(server, "electricity_v1.onnx").has_value());
  const std::string alone = server.controller->recover_from_crash("e", 1);
  EXPECT_NE(alone.find("no older version"), std::string::npos);
  ASSERT_TRUE(deploy(server, "electricity_v1.ubj", "50").has_value());
  const std::string said = server.controller->recover_from_crash("e", 2);
  EXPECT_NE(said.find("rolled back"), std::string::npos);
  EXPECT_EQ(server.route().candidate.version, nullptr);
  EXPECT_EQ(server.controller->describe("e")->state.rollout->history.back().by, "crash");
}

TEST_F(ControllerTest, AnExistingEndpointWinsOverTheCommandLine) {
  Server server(folder_);
  const std::string onnx = model_path("electricity_v1.onnx");
  EXPECT_EQ(server.controller->ensure("e", onnx).value(), "");
  EXPECT_EQ(server.controller->ensure("e", onnx).value(), "");
  const auto other = server.controller->ensure("e", model_path("electricity_v1.ubj"));
  EXPECT_NE(other.value().find("weir deploy e"), std::string::npos);
  EXPECT_EQ(server.primary(), 1U);
  // The file may be gone: what is stored is served.
  const auto gone = server.controller->ensure("e", (folder_ / "gone.onnx").string());
  EXPECT_NE(gone.value().find("gone.onnx"), std::string::npos);
}

TEST(EndpointState, ReadsBackWhatItWrote) {
  EndpointState state{
      .name = "a/b",
      .primary = 2,
      .shadows = {3},
      .features = {"x", "y"},
      .last_version = 4,
      .last_rollout = 5};
  state.versions = {
      {.number = 2, .sha256 = "ab", .file_name = "m.onnx", .name = "n", .added_at = 5}};
  EXPECT_EQ(parse_endpoint_json(to_json(state)).value(), state);
  for (const char* text : {"", "{}", "[]", "{\"name\":1}"}) {
    EXPECT_EQ(parse_endpoint_json(text).error().code, Code::corrupt) << text;
  }
}

}  // namespace
}  // namespace weir::control
