#include "cli/arguments.h"

#include <vector>

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

std::variant<Command, Ending> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "weir");
  return parse_arguments(static_cast<int>(arguments.size()), arguments.data());
}

template <class Arguments>
Arguments command(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  return std::get<Arguments>(std::get<Command>(parsed));
}

TEST(Arguments, TheCommandsOfTheReadme) {
  const auto serve = command<ServeArguments>({"serve", "--model", "e=v1.onnx"});
  EXPECT_EQ(serve.models, std::vector<std::string>{"e=v1.onnx"});
  const auto deploy =
      command<DeployArguments>({"deploy", "e", "v2.ubj", "--stages", "shadow,5,25,50,100"});
  EXPECT_EQ(deploy.endpoint, "e");
  EXPECT_EQ(deploy.path, "v2.ubj");
  EXPECT_EQ(deploy.stages, "shadow,5,25,50,100");
  EXPECT_EQ(command<StatusArguments>({"status", "e", "--json"}).client.json, true);
  EXPECT_TRUE(command<MoveArguments>({"promote", "e", "--full"}).full);
  for (const char* action : {"promote", "rollback", "pause", "resume"}) {
    EXPECT_EQ(command<MoveArguments>({action, "e"}).action, action);
  }
  EXPECT_EQ(command<FeedbackArguments>({"feedback", "e", "labels.csv"}).path, "labels.csv");
  EXPECT_EQ(command<SqlArguments>({"sql", "select 1"}).query, "select 1");
  EXPECT_EQ(
      command<ExportArguments>({"export", "e", "--sql", "select 1", "--out", "t.parquet"}).out,
      "t.parquet"
  );
  for (const char* action : {"list", "show", "remove"}) {
    std::vector<const char*> arguments = {"model", action};
    if (action != std::string("list")) arguments.push_back("e");
    if (action == std::string("remove")) arguments.push_back("2");
    EXPECT_EQ(command<ModelArguments>(arguments).action, action);
  }
  EXPECT_EQ(command<LedgerArguments>({"ledger", "erase", "--key", "k"}).key, "k");
}

TEST(Arguments, MisuseEndsWithTwoAndHelpWithNone) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{
           {}, {"frobnicate"}, {"deploy", "e"}, {"status", "--nonsense"}, {"model"}}) {
    const auto parsed = parse(arguments);
    const auto* ending = std::get_if<Ending>(&parsed);
    ASSERT_NE(ending, nullptr);
    EXPECT_EQ(ending->exit_code, 2);
    EXPECT_FALSE(ending->text.empty());
  }
  const auto parsed = parse({"frobnicate"});
  EXPECT_NE(std::get<Ending>(parsed).text.find("'frobnicate'"), std::string::npos);
  for (const char* flag : {"--help", "--version"}) {
    const auto helped = parse({flag});
    EXPECT_EQ(std::get<Ending>(helped).exit_code, 0);
  }
}

TEST(Arguments, HelpFitsATerminal) {
  for (const char* name : {"serve", "deploy", "status", "train", "export", "demo"}) {
    const auto parsed = parse({name, "--help"});
    const std::string& text = std::get<Ending>(parsed).text;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      EXPECT_LE(end - at, 100U) << text.substr(at, end - at);
      at = end + 1;
    }
  }
}

}  // namespace
}  // namespace weir::cli
