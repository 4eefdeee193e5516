#include <cstdio>
#include <new>
#include <string>
#include <variant>

#include "app/batch_command.h"
#include "app/demo.h"
#include "app/serve_command.h"
#include "cli/arguments.h"
#include "cli/commands.h"

namespace weir::app {
namespace {

// Each command and what runs it.
struct Runner {
  std::string command_line;

  Result<int> operator()(const cli::ServeArguments& arguments) const {
    return run_serve(arguments, command_line);
  }
  Result<int> operator()(const cli::WorkerArguments&) const { return run_worker(); }
  Result<int> operator()(const cli::ModelHostArguments&) const { return run_model_host(); }
  Result<int> operator()(const cli::DemoArguments& arguments) const { return run_demo(arguments); }
  Result<int> operator()(const cli::StatusArguments& arguments) const {
    return cli::run_status(arguments);
  }
  Result<int> operator()(const cli::DeployArguments& arguments) const {
    return cli::run_deploy(arguments);
  }
  Result<int> operator()(const cli::MoveArguments& arguments) const {
    return cli::run_move(arguments);
  }
  Result<int> operator()(const cli::ModelArguments& arguments) const {
    return cli::run_model(arguments);
  }
  Result<int> operator()(const cli::RolloutArguments& arguments) const {
    return cli::run_rollout(arguments);
  }
  Result<int> operator()(const cli::FeedbackArguments& arguments) const {
    return cli::run_feedback(arguments);
  }
  Result<int> operator()(const cli::SqlArguments& arguments) const {
    return cli::run_sql(arguments);
  }
  Result<int> operator()(const cli::ExportArguments& arguments) const {
    return cli::run_export(arguments);
  }
  Result<int> operator()(const cli::LedgerArguments& arguments) const {
    return cli::run_ledger(arguments);
  }
  Result<int> operator()(const cli::TrainArguments& arguments) const {
    return cli::run_train(arguments);
  }
  Result<int> operator()(const cli::BatchArguments& arguments) const {
    return run_batch(arguments, command_line);
  }
};

// What a shell or a process list shows of this program.
std::string join(int count, const char* const* arguments) {
  std::string text = "weir";
  for (int i = 1; i < count; ++i) text += std::string(" ") + arguments[i];
  return text;
}

int run(int count, const char* const* arguments) {
  const auto parsed = cli::parse_arguments(count, arguments);
  if (const auto* ending = std::get_if<cli::Ending>(&parsed)) {
    std::fputs(ending->text.c_str(), ending->exit_code == 0 ? stdout : stderr);
    return ending->exit_code;
  }
  const Result<int> code =
      std::visit(Runner{join(count, arguments)}, std::get<cli::Command>(parsed));
  if (code) return *code;
  std::fprintf(stderr, "weir: %s\n", code.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace weir::app

int main(int count, char** arguments) {
  try {
    return weir::app::run(count, arguments);
  } catch (const std::bad_alloc&) {
    std::fputs("weir: out of memory\n", stderr);
    return 1;
  }
}
