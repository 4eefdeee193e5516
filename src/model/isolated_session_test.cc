#include "model/isolated_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_fixture.h"

// What needs the program itself is in tests/e2e/test_isolation.py.

namespace weir::model {
namespace {

using ::testing::HasSubstr;

TEST(IsolatedSession, SaysHowAProcessEndedThatDidNotLoadTheModel) {
  SessionOptions options;
  options.isolated_program = "/bin/false";
  const auto session = load_isolated(model_path("electricity_v1.ubj"), options);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Code::unavailable);
  EXPECT_THAT(session.error().message, HasSubstr("exit code 1"));
  EXPECT_THAT(session.error().message, HasSubstr("electricity_v1.ubj"));
}

TEST(IsolatedSession, SaysWhenTheProgramIsNotThere) {
  SessionOptions options;
  options.isolated_program = "/no/such/program";
  const auto session = load_isolated(model_path("electricity_v1.ubj"), options);
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, HasSubstr("/no/such/program"));
}

TEST(IsolatedSession, IsWhatTheSidecarAsksFor) {
  const TemporaryFolder folder;
  const std::string path = folder.copy("electricity_v1.ubj");
  folder.write("electricity_v1.ubj.yaml", "isolation: process\n");
  SessionOptions options;
  options.isolated_program = "/bin/false";
  EXPECT_FALSE(load_session(path, options));
  EXPECT_TRUE(load_session_here(path, options));
  folder.write("electricity_v1.ubj.yaml", "isolation: none\n");
  EXPECT_TRUE(load_session(path, options));
}

}  // namespace
}  // namespace weir::model
