#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"
#include "table/table_file.h"
#include "table/worker.h"
#include "train/xgboost_trainer.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

train::TrainTask task_of(const std::string& name) {
  if (name == "multiclass") return train::TrainTask::multiclass;
  if (name == "regression") return train::TrainTask::regression;
  return train::TrainTask::binary;
}

Result<void> check_classes(const TrainArguments& arguments, const table::TrainingSet& set) {
  if (arguments.task != "binary" || set.classes.size() == 2) return {};
  return fail(
      Code::invalid_argument,
      "column '{}' of '{}' has {} classes and --task binary wants two; say --task multiclass",
      arguments.label,
      arguments.in,
      set.classes.size()
  );
}

std::string report_text(const TrainArguments& arguments, const train::TrainReport& report) {
  std::string text = fmt::format(
      "{}: {} trees from {} rows in {:.1f} s (XGBoost {})\n",
      arguments.out,
      arguments.trees,
      with_commas(report.rows),
      static_cast<double>(report.train_us) / 1e6,
      report.library_version
  );
  for (const train::TrainMetric& metric : report.metrics) {
    text += fmt::format("{} {}: {:.5g}\n", metric.data, metric.name, metric.value);
  }
  return text;
}

json::object report_document(
    const TrainArguments& arguments, const table::TrainingSet& set, const train::TrainReport& report
) {
  json::object metrics;
  for (const train::TrainMetric& metric : report.metrics) {
    metrics[metric.data + "_" + metric.name] = metric.value;
  }
  return {
      {"out", arguments.out},
      {"rows", report.rows},
      {"features", json::value_from(set.features)},
      {"classes", json::value_from(set.classes)},
      {"metrics", std::move(metrics)},
      {"seconds", static_cast<double>(report.train_us) / 1e6},
      {"xgboost", report.library_version},
  };
}

}  // namespace

Result<int> run_train(const TrainArguments& arguments) {
  table::Worker worker(table::WorkerOptions{});
  const bool is_regression = arguments.task == "regression";
  const table::TrainingSet set = TRY(table::read_training_set(
      worker,
      arguments.in,
      {
          .label = arguments.label,
          .kind = is_regression ? table::TrainingColumns::Label::number
                                : table::TrainingColumns::Label::classes,
          .features = arguments.features,
      }
  ));
  if (!is_regression) TRY(check_classes(arguments, set));
  const train::TrainData data{
      .values = set.values, .labels = set.labels, .features = set.features.size()};
  train::TrainOptions options;
  options.task = task_of(arguments.task);
  options.classes = static_cast<std::uint32_t>(set.classes.size());
  options.trees = static_cast<std::uint32_t>(arguments.trees);
  options.depth = static_cast<std::uint32_t>(arguments.depth);
  options.learning_rate = arguments.learning_rate;
  options.seed = static_cast<std::uint64_t>(arguments.seed);
  options.feature_names = set.features;
  const train::TrainReport report = TRY(train::train_xgboost(data, {}, options, arguments.out));
  if (arguments.json) {
    print_json(report_document(arguments, set, report));
  } else {
    print(report_text(arguments, report));
  }
  return 0;
}

}  // namespace weir::cli
