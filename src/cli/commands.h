#pragma once

#include "base/result.h"
#include "cli/arguments.h"

// One function a command, each in a file of its name. The result is the exit code; an error is
// printed by main.

namespace weir::cli {

Result<int> run_status(const StatusArguments& arguments);
Result<int> run_deploy(const DeployArguments& arguments);
Result<int> run_move(const MoveArguments& arguments);
Result<int> run_model(const ModelArguments& arguments);
Result<int> run_rollout(const RolloutArguments& arguments);
Result<int> run_feedback(const FeedbackArguments& arguments);
Result<int> run_sql(const SqlArguments& arguments);
Result<int> run_export(const ExportArguments& arguments);
Result<int> run_ledger(const LedgerArguments& arguments);
Result<int> run_train(const TrainArguments& arguments);

}  // namespace weir::cli
