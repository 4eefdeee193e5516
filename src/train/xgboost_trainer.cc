#include "train/xgboost_trainer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "train/xgboost_library.h"

namespace weir::train {
namespace {

// The result of a call as a Result; `what` completes "XGBoost cannot …".
Result<void> check(const XgboostLibrary& library, int status, const char* what) {
  if (status == 0) return {};
  // The message goes on with a stack trace.
  std::string reason = library.get_last_error();
  if (const std::size_t end = reason.find("\nStack trace"); end != std::string::npos) {
    reason.resize(end);
  }
  return fail(Code::internal, "XGBoost cannot {}: {}", what, reason);
}

// The rows as XGBoost holds them.
class Matrix {
 public:
  static Result<Matrix> create(const XgboostLibrary& library, const TrainData& data) {
    XgboostHandle handle = nullptr;
    const float missing = std::numeric_limits<float>::quiet_NaN();
    TRY(check(
        library,
        library.matrix_create(
            data.values.data(), data.labels.size(), data.features, missing, &handle
        ),
        "take the training data"
    ));
    Matrix matrix(library, handle);
    TRY(check(
        library,
        library.matrix_set_floats(handle, "label", data.labels.data(), data.labels.size()),
        "take the labels"
    ));
    return matrix;
  }
  Matrix(Matrix&& other) noexcept
      : library_(other.library_), handle_(std::exchange(other.handle_, nullptr)) {}
  Matrix& operator=(Matrix&&) = delete;
  ~Matrix() {
    if (handle_ != nullptr) library_->matrix_free(handle_);
  }

  XgboostHandle handle() const { return handle_; }

 private:
  Matrix(const XgboostLibrary& library, XgboostHandle handle)
      : library_(&library), handle_(handle) {}

  const XgboostLibrary* library_;
  XgboostHandle handle_;
};

// The model while it grows.
class Booster {
 public:
  static Result<Booster> create(const XgboostLibrary& library, const Matrix& matrix) {
    XgboostHandle handle = nullptr;
    const XgboostHandle data = matrix.handle();
    TRY(check(library, library.booster_create(&data, 1, &handle), "begin a model"));
    return Booster(library, handle);
  }
  Booster(Booster&& other) noexcept
      : library_(other.library_), handle_(std::exchange(other.handle_, nullptr)) {}
  Booster& operator=(Booster&&) = delete;
  ~Booster() {
    if (handle_ != nullptr) library_->booster_free(handle_);
  }

  Result<void> set(const char* name, const std::string& value) {
    return check(*library_, library_->booster_set(handle_, name, value.c_str()), name);
  }

  Result<void> grow(int round, const Matrix& matrix) {
    return check(
        *library_, library_->booster_update(handle_, round, matrix.handle()), "grow a tree"
    );
  }

  // "[99]\ttrain-logloss:0.31\ttrain-error:0.12"
  Result<std::string> evaluate(int round, const Matrix& matrix, const char* name) {
    XgboostHandle data = matrix.handle();
    const char* text = nullptr;
    TRY(check(
        *library_,
        library_->booster_evaluate(handle_, round, &data, &name, 1, &text),
        "measure the model"
    ));
    return std::string(text);
  }

  // What the model says about its features.
  Result<void> name_features(const std::vector<std::string>& names) {
    std::vector<const char*> texts;
    for (const std::string& name : names) texts.push_back(name.c_str());
    return check(
        *library_,
        library_->booster_set_texts(handle_, "feature_name", texts.data(), texts.size()),
        "take the names of the features"
    );
  }

  Result<void> save(const std::string& path) {
    return check(*library_, library_->booster_save(handle_, path.c_str()), "save the model");
  }

 private:
  Booster(const XgboostLibrary& library, XgboostHandle handle)
      : library_(&library), handle_(handle) {}

  const XgboostLibrary* library_;
  XgboostHandle handle_;
};

Result<void> check_labels(const TrainData& data, const TrainOptions& options, const char* name) {
  const float classes =
      options.task == TrainTask::binary ? 2.0F : static_cast<float>(options.classes);
  for (std::size_t row = 0; row < data.labels.size(); ++row) {
    const float label = data.labels[row];
    const bool is_class = label >= 0 && label < classes && label == std::floor(label);
    const bool is_right = options.task == TrainTask::regression ? std::isfinite(label) : is_class;
    if (is_right) continue;
    return fail(
        Code::invalid_argument,
        "the label of {} row {} is {}, which is no {} label{}",
        name,
        row,
        label,
        to_string(options.task),
        options.task == TrainTask::regression ? "" : fmt::format(" (0 to {})", classes - 1)
    );
  }
  return {};
}

Result<void> check_data(const TrainData& data, const TrainOptions& options, const char* name) {
  if (data.features == 0 || data.labels.empty()) {
    return fail(Code::invalid_argument, "the {} data have no rows or no features", name);
  }
  if (data.values.size() != data.labels.size() * data.features) {
    return fail(
        Code::invalid_argument,
        "the {} data have {} values, not {} rows times {} features",
        name,
        data.values.size(),
        data.labels.size(),
        data.features
    );
  }
  if (data.values.size() > options.max_values) {
    return fail(
        Code::invalid_argument,
        "the {} data have {} values; at most {} are allowed: train on fewer rows",
        name,
        data.values.size(),
        options.max_values
    );
  }
  if (!options.feature_names.empty() && options.feature_names.size() != data.features) {
    return fail(
        Code::invalid_argument,
        "{} names for the {} features of the {} data",
        options.feature_names.size(),
        data.features,
        name
    );
  }
  return check_labels(data, options, name);
}

Result<void> check_options(const TrainOptions& options) {
  if (options.task == TrainTask::multiclass && options.classes < 2) {
    return fail(Code::invalid_argument, "a multiclass model needs two classes at least");
  }
  if (options.trees == 0 || options.depth == 0) {
    return fail(Code::invalid_argument, "a model needs one tree of depth 1 at least");
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return fail(
        Code::invalid_argument, "the learning rate {} is not within (0, 1]", options.learning_rate
    );
  }
  // XGBoost forbids these in names, and others could not be told apart.
  for (const std::string& name : options.feature_names) {
    if (!name.empty() && name.find_first_of("[]<") == std::string::npos) continue;
    return fail(
        Code::invalid_argument, "'{}' cannot name a feature: it is empty or has [, ] or <", name
    );
  }
  return {};
}

Result<void> configure(Booster& booster, const TrainOptions& options) {
  TRY(booster.set("verbosity", "0"));
  switch (options.task) {
    case TrainTask::binary:
      TRY(booster.set("objective", "binary:logistic"));
      TRY(booster.set("eval_metric", "logloss"));
      TRY(booster.set("eval_metric", "error"));
      break;
    case TrainTask::multiclass:
      TRY(booster.set("objective", "multi:softprob"));
      TRY(booster.set("num_class", std::to_string(options.classes)));
      TRY(booster.set("eval_metric", "mlogloss"));
      TRY(booster.set("eval_metric", "merror"));
      break;
    case TrainTask::regression:
      TRY(booster.set("objective", "reg:squarederror"));
      TRY(booster.set("eval_metric", "rmse"));
      break;
  }
  TRY(booster.set("tree_method", "hist"));
  TRY(booster.set("max_depth", std::to_string(options.depth)));
  TRY(booster.set("eta", fmt::format("{}", options.learning_rate)));
  TRY(booster.set("seed", std::to_string(options.seed)));
  if (options.threads > 0) TRY(booster.set("nthread", std::to_string(options.threads)));
  return {};
}

// Takes "name:value" pairs behind `data` + "-" out of an evaluation.
void add_metrics(const std::string& text, const std::string& data, TrainReport& report) {
  const std::string prefix = data + "-";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at)) {
    at += prefix.size();
    const std::size_t colon = text.find(':', at);
    if (colon == std::string::npos) return;
    TrainMetric metric;
    metric.data = data;
    metric.name = text.substr(at, colon - at);
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), metric.value);
    report.metrics.push_back(std::move(metric));
  }
}

}  // namespace

std::string_view to_string(TrainTask task) {
  switch (task) {
    case TrainTask::binary:
      return "binary";
    case TrainTask::multiclass:
      return "multiclass";
    case TrainTask::regression:
      break;
  }
  return "regression";
}

Result<TrainReport> train_xgboost(
    const TrainData& data,
    const TrainData& validation,
    const TrainOptions& options,
    const std::string& path
) {
  const bool is_json = path.ends_with(".json");
  if (!is_json && !path.ends_with(".ubj")) {
    return fail(Code::invalid_argument, "'{}': a model's file ends in .ubj or .json", path);
  }
  const bool has_validation = !validation.labels.empty();
  TRY(check_options(options));
  TRY(check_data(data, options, "training"));
  if (has_validation) TRY(check_data(validation, options, "validation"));
  if (has_validation && validation.features != data.features) {
    return fail(
        Code::invalid_argument,
        "the validation data have {} features, the training data {}",
        validation.features,
        data.features
    );
  }
  const XgboostLibrary library = TRY(load_xgboost(options.library));
  const std::int64_t begin_ns = monotonic_ns();
  const Matrix matrix = TRY(Matrix::create(library, data));
  Booster booster = TRY(Booster::create(library, matrix));
  TRY(configure(booster, options));
  const int rounds = static_cast<int>(options.trees);
  for (int round = 0; round < rounds; ++round) TRY(booster.grow(round, matrix));

  TrainReport report;
  report.rows = data.labels.size();
  report.train_us = (monotonic_ns() - begin_ns) / 1'000;
  int major = 0;
  int minor = 0;
  int patch = 0;
  library.version(&major, &minor, &patch);
  report.library_version = fmt::format("{}.{}.{}", major, minor, patch);
  add_metrics(TRY(booster.evaluate(rounds - 1, matrix, "train")), "train", report);
  if (has_validation) {
    const Matrix held_out = TRY(Matrix::create(library, validation));
    const std::string text = TRY(booster.evaluate(rounds - 1, held_out, "validation"));
    add_metrics(text, "validation", report);
  }
  if (!options.feature_names.empty()) TRY(booster.name_features(options.feature_names));
  // XGBoost takes the format from the ending.
  const std::string temporary = path + (is_json ? ".tmp.json" : ".tmp.ubj");
  TRY(booster.save(temporary));
  TRY(system_files().rename(temporary, path));
  return report;
}

}  // namespace weir::train
