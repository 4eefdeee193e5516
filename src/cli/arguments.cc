#include "cli/arguments.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

constexpr int usage_exit_code = 2;

void add_client_options(CLI::App& command, ClientArguments& client) {
  command.add_option("--server", client.server, "Where the server is")
      ->envname("WEIR_SERVER")
      ->capture_default_str();
  command.add_option(
      "--token-file", client.token_file, "File with the server's token (or set WEIR_TOKEN)"
  );
  command.add_flag("--json", client.json, "Print JSON");
}

// Every command fills its own arguments and, when it was chosen, becomes the result.
class Parser {
 public:
  Parser() : app_("weir regulates and measures the flow of predictions.", "weir") {
    app_.set_version_flag("--version", "weir " WEIR_VERSION);
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(34);
    add_server_commands();
    add_rollout_commands();
    add_ledger_commands();
    add_training_commands();
    add_batch_command();
  }

  std::variant<Command, Ending> parse(int count, const char* const* arguments) {
    const std::string_view first = count > 1 ? arguments[1] : "-";
    const auto is_first = [&](const CLI::App* command) { return command->get_name() == first; };
    const std::vector<CLI::App*> commands = app_.get_subcommands({});
    if (!first.starts_with('-') && std::ranges::none_of(commands, is_first)) {
      return Ending{
          fmt::format("weir has no command '{}'; 'weir --help' lists those that it has\n", first),
          usage_exit_code};
    }
    try {
      app_.parse(count, arguments);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      const int code = app_.exit(error, out, out);
      return Ending{out.str(), code == 0 ? 0 : usage_exit_code};
    }
    return *chosen_;
  }

 private:
  template <class Arguments>
  CLI::App& add(const char* name, const char* help, Arguments& arguments) {
    CLI::App& command = *app_.add_subcommand(name, help);
    command.callback([this, &arguments] { chosen_ = arguments; });
    return command;
  }

  void add_server_commands();
  void add_rollout_commands();
  void add_ledger_commands();
  void add_training_commands();
  void add_batch_command();
  void add_move(const char* name, const char* help, MoveArguments& arguments);

  CLI::App app_;
  std::optional<Command> chosen_;
  ServeArguments serve_;
  WorkerArguments worker_;
  ModelHostArguments model_host_;
  DemoArguments demo_;
  StatusArguments status_;
  DeployArguments deploy_;
  MoveArguments promote_{.client = {}, .action = "promote"};
  MoveArguments pause_{.client = {}, .action = "pause"};
  MoveArguments resume_{.client = {}, .action = "resume"};
  MoveArguments rollback_{.client = {}, .action = "rollback"};
  ModelArguments model_list_{.client = {}, .action = "list"};
  ModelArguments model_show_{.client = {}, .action = "show"};
  ModelArguments model_remove_{.client = {}, .action = "remove"};
  RolloutArguments rollout_;
  FeedbackArguments feedback_;
  SqlArguments sql_;
  ExportArguments export_;
  LedgerArguments erase_{.client = {}, .action = "erase"};
  LedgerArguments compact_{.client = {}, .action = "compact"};
  TrainArguments train_;
  BatchArguments batch_;
};

void Parser::add_server_commands() {
  CLI::App& serve = add("serve", "Serve models", serve_);
  serve.add_option("--model", serve_.models, "An endpoint and its model file, NAME=PATH")
      ->type_name("NAME=PATH");
  serve.add_option("--listen", serve_.listen, "HOST:PORT of everything HTTP [127.0.0.1:8080]");
  serve.add_option(
      "--grpc-listen", serve_.grpc_listen, "HOST:PORT of gRPC, or off [127.0.0.1:8081]"
  );
  serve.add_option("--data", serve_.data, "Data folder [weir-data]");
  serve.add_option("--config", serve_.config_file, "YAML file with everything that can be set");
  serve.add_option("--ledger", serve_.ledger, "Keep records: on or off [on]")
      ->check(CLI::IsMember({"on", "off"}));
  serve.add_option("--threads", serve_.threads, "Event loops [one per core]")
      ->check(CLI::Range(1, 1024));
  serve.add_option("--token-file", serve_.token_file, "File with the token that clients must send");
  serve.add_option("--tls-certificate", serve_.tls_certificate, "PEM file with the certificate");
  serve.add_option("--tls-key", serve_.tls_key, "PEM file with its private key");
  serve.add_option("--access-log", serve_.access_log, "File for a line an answer; -: stderr");
  serve.add_flag("--take-over", serve_.take_over, "Succeed the server that holds the data folder");
  serve.add_option("--log-level", serve_.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();

  add("worker", "SQL in a process of its own; started by serve", worker_).group("");
  add("model-host", "One model in a process of its own; started by serve", model_host_).group("");

  CLI::App& demo = add("demo", "Launch three models on real data and watch", demo_);
  demo.add_option("--data", demo_.data, "Folder for what the demo makes")->capture_default_str();
  demo.add_option("--examples", demo_.examples, "Folder with electricity.csv.gz");
  demo.add_option("--rows", demo_.rows, "Play only so many rows [all]")
      ->check(CLI::Range(8'000, 1'000'000));
  demo.add_option("--rows-per-second", demo_.rows_per_second, "Pace of the live view; 0: none")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  demo.add_flag("--keep", demo_.keep, "Leave the server running at the end");
  demo.add_flag("--plain", demo_.plain, "One line an event, no live view");
}

void Parser::add_move(const char* name, const char* help, MoveArguments& arguments) {
  CLI::App& command = add(name, help, arguments);
  add_client_options(command, arguments.client);
  command.add_option("endpoint", arguments.endpoint, "Endpoint")->required();
  command.add_option("--reason", arguments.text, "Why, for the record");
  if (arguments.action == "promote") {
    command.add_flag("--full", arguments.full, "To the end of the plan");
  }
}

void Parser::add_rollout_commands() {
  CLI::App& status = add("status", "Arms, shares, counts, latency, agreement", status_);
  add_client_options(status, status_.client);
  status.add_option("endpoint", status_.endpoint, "Endpoint (none: the server)");

  CLI::App& deploy = add("deploy", "Launch a model file on an endpoint", deploy_);
  add_client_options(deploy, deploy_.client);
  deploy.add_option("endpoint", deploy_.endpoint, "Endpoint")->required();
  deploy.add_option("path", deploy_.path, "Model file (.onnx, .ubj, .json, .txt, .remote)")
      ->required();
  deploy.add_option("--stages", deploy_.stages, "Such as shadow,5,25,50,100");
  deploy.add_option("--plan", deploy_.plan_file, "YAML file with a plan");
  deploy.add_option("--name", deploy_.name, "A name for people");
  deploy.add_flag("--shadow", deploy_.shadow, "A lasting shadow, no rollout");

  add_move("promote", "One stage forward", promote_);
  add_move("pause", "Stay at this stage", pause_);
  add_move("resume", "Go on after a pause", resume_);
  add_move("rollback", "Back to the old version at once", rollback_);

  CLI::App& rollout = add("rollout", "The newest rollout: plan, stage, history", rollout_);
  add_client_options(rollout, rollout_.client);
  rollout.add_option("endpoint", rollout_.endpoint, "Endpoint")->required();

  CLI::App& model = *app_.add_subcommand("model", "Endpoints and their versions");
  model.require_subcommand(1);
  const auto add_model = [&](const char* name, const char* help, ModelArguments& arguments) {
    CLI::App* command = model.add_subcommand(name, help);
    command->callback([this, &arguments] { chosen_ = arguments; });
    add_client_options(*command, arguments.client);
    return command;
  };
  add_model("list", "All endpoints", model_list_);
  add_model("show", "The versions of an endpoint", model_show_)
      ->add_option("endpoint", model_show_.endpoint, "Endpoint")
      ->required();
  CLI::App* remove = add_model("remove", "Forget a version, or end a shadow", model_remove_);
  remove->add_option("endpoint", model_remove_.endpoint, "Endpoint")->required();
  remove->add_option("version", model_remove_.version, "Version")->required();
}

void Parser::add_ledger_commands() {
  CLI::App& feedback = add("feedback", "Send labels, events or tags from a file", feedback_);
  add_client_options(feedback, feedback_.client);
  feedback.add_option("endpoint", feedback_.endpoint, "Endpoint")->required();
  feedback.add_option("path", feedback_.path, "CSV, NDJSON or Parquet with a column id")
      ->required();

  CLI::App& sql = add("sql", "Ask the ledger; every endpoint is a table", sql_);
  add_client_options(sql, sql_.client);
  sql.add_option("query", sql_.query, "One SELECT")->required();
  sql.add_option("--max-rows", sql_.max_rows, "Rows to show at most");

  CLI::App& exporting = add("export", "Write a training set with a manifest", export_);
  add_client_options(exporting, export_.client);
  exporting.add_option("endpoint", export_.endpoint, "Endpoint")->required();
  exporting.add_option("--sql", export_.sql, "One SELECT [all labelled records]");
  exporting.add_option("--out", export_.out, "File ending in .parquet, .csv or .ndjson")
      ->required();

  CLI::App& ledger = *app_.add_subcommand("ledger", "Look after what is on disk");
  ledger.require_subcommand(1);
  CLI::App* erase = ledger.add_subcommand("erase", "Remove a person's rows from every file");
  erase->callback([this] { chosen_ = erase_; });
  add_client_options(*erase, erase_.client);
  erase->add_option("--key", erase_.key, "The routing key of that person")->required();
  erase->add_option("--endpoint", erase_.endpoint, "Only of this endpoint");
  CLI::App* compact = ledger.add_subcommand("compact", "Turn all segments into Parquet now");
  compact->callback([this] { chosen_ = compact_; });
  add_client_options(*compact, compact_.client);
}

void Parser::add_training_commands() {
  CLI::App& train = add("train", "Train an XGBoost model from a table", train_);
  train.add_option("path", train_.in, "CSV, NDJSON or Parquet")->required();
  train.add_option("--label", train_.label, "Column with the truth")->required();
  train.add_option("--out", train_.out, "Model file ending in .ubj or .json")->required();
  train.add_option("--task", train_.task, "binary, multiclass or regression")
      ->check(CLI::IsMember({"binary", "multiclass", "regression"}))
      ->capture_default_str();
  train.add_option("--features", train_.features, "Columns to learn from [all but the label]")
      ->delimiter(',');
  train.add_option("--trees", train_.trees, "Number of trees")->capture_default_str();
  train.add_option("--depth", train_.depth, "Depth of a tree")->capture_default_str();
  train.add_option("--learning-rate", train_.learning_rate, "Step size")->capture_default_str();
  train.add_option("--seed", train_.seed, "Seed")->capture_default_str();
  train.add_flag("--json", train_.json, "Print JSON");
}

void Parser::add_batch_command() {
  CLI::App& batch = add("batch", "Predict all rows of a file", batch_);
  batch.add_option("model", batch_.model, "Model file, or ENDPOINT[/VERSION] of the data folder")
      ->required();
  batch.add_option("--in", batch_.in, "CSV (with a header), NDJSON or Parquet")->required();
  batch.add_option("--out", batch_.out, "File ending in .parquet, .csv or .ndjson")->required();
  batch.add_option("--keep", batch_.keep, "Columns that the output takes over")->delimiter(',');
  batch
      .add_option("--columns", batch_.columns, "Columns for the model's inputs, in order [by name]")
      ->delimiter(',');
  batch.add_option("--data", batch_.data, "Data folder of the endpoint")->capture_default_str();
  batch.add_flag(
      "--record", batch_.record, "Keep the predictions in the ledger of the data folder"
  );
  batch.add_flag("--restart", batch_.restart, "Throw away the parts of an earlier try");
  batch.add_option("--threads", batch_.threads, "Threads that predict [one per core]")
      ->check(CLI::Range(1, 1024));
  batch.add_flag("--json", batch_.json, "Print JSON");
}

}  // namespace

std::variant<Command, Ending> parse_arguments(int count, const char* const* arguments) {
  return Parser().parse(count, arguments);
}

}  // namespace weir::cli
