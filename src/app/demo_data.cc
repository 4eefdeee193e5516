#include "app/demo_data.h"

#include <filesystem>

#include "table/worker.h"
#include "train/xgboost_trainer.h"

namespace weir::app {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view file_name = "electricity.csv.gz";

Result<std::string> find_file(const std::string& folder) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> places;
  if (!folder.empty()) {
    places.emplace_back(folder);
  } else {
    // build/release/weir, an installed bin/weir, and the current folder.
    places.push_back(program / "../../examples/electricity");
    places.push_back(program / "../share/weir/examples/electricity");
    places.emplace_back("examples/electricity");
  }
  for (const fs::path& place : places) {
    const fs::path path = place / file_name;
    if (fs::exists(path, error)) return fs::absolute(path).lexically_normal().string();
  }
  return fail(
      Code::not_found,
      "cannot find {} in '{}'; say where examples/electricity is with --examples FOLDER",
      file_name,
      places.front().lexically_normal().string()
  );
}

std::string quote_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + '\'';
}

}  // namespace

Result<std::vector<DemoRow>> read_demo_data(const std::string& folder) {
  const std::string path = TRY(find_file(folder));
  table::Worker worker(table::WorkerOptions{});
  // Half hours since the first row, which a float holds exactly.
  std::string columns = "epoch(time - min(time) OVER ())::FLOAT / 1800 AS half_hours";
  for (const char* feature : demo_features) columns += fmt::format(", {}::FLOAT", feature);
  const table::FloatMatrix matrix = TRY(worker.read_matrix(fmt::format(
      "SELECT {}, label::FLOAT FROM read_csv({}) ORDER BY time", columns, quote_text(path)
  )));
  const auto first = TRY(parse_rfc3339("1996-05-07T00:00:00Z"));
  const std::size_t width = demo_features.size() + 2;
  std::vector<DemoRow> rows(matrix.rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float* values = matrix.values.data() + i * width;
    rows[i].time = first + static_cast<std::int64_t>(values[0]) * 1800 * us_per_second;
    for (std::size_t f = 0; f < demo_features.size(); ++f) rows[i].features[f] = values[f + 1];
    rows[i].label = values[width - 1] > 0.5F ? 1 : 0;
  }
  return rows;
}

Result<void> train_demo_model(
    const std::vector<DemoRow>& rows, const DemoTraining& training, const std::string& path
) {
  std::vector<float> values;
  std::vector<float> labels;
  for (std::size_t i = training.begin; i < training.end; ++i) {
    for (std::size_t f = 0; f < demo_features.size(); ++f) {
      const float scale = f == training.scaled_feature ? training.scale : 1;
      values.push_back(rows[i].features[f] * scale);
    }
    labels.push_back(static_cast<float>(rows[i].label));
  }
  train::TrainOptions options;
  options.trees = training.trees;
  options.depth = training.depth;
  options.learning_rate = 0.1;
  options.seed = 7;
  options.feature_names.assign(demo_features.begin(), demo_features.end());
  const train::TrainData data{.values = values, .labels = labels, .features = demo_features.size()};
  TRY(train::train_xgboost(data, {}, options, path));
  return {};
}

}  // namespace weir::app
