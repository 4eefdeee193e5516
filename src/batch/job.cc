#include "batch/job.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <thread>
#include <utility>

#include <boost/json.hpp>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"

namespace weir::batch {

namespace json = boost::json;

namespace {

// One writer keeps up with this many threads that predict.
constexpr int predicting_per_writer = 4;

// A batch has no time limit of its own.
table::WorkerOptions patient(table::WorkerOptions options) {
  constexpr std::int64_t year_us = 365 * us_per_day;
  options.execute_timeout_us = year_us;
  options.niceness = 0;
  return options;
}

// The trouble is with the model or its server, not with a row.
bool is_of_no_row(Code code) {
  return code == Code::exhausted || code == Code::unavailable || code == Code::deadline ||
         code == Code::not_found;
}

std::string with_line_end(const json::object& object) {
  return json::serialize(object) + '\n';
}

// Lines that the reader of a CSV refused, as lines of the side file.
Result<std::string> unreadable_lines(const std::string& text, std::uint64_t& count) {
  if (text.empty()) return std::string();
  boost::system::error_code error;
  const json::value rows = json::parse(text, error);
  if (error || !rows.is_array()) return fail(Code::internal, "the worker gave no JSON array");
  std::string lines;
  for (const json::value& row : rows.get_array()) lines += with_line_end(row.as_object());
  count = rows.get_array().size();
  return lines;
}

}  // namespace

Result<void> Job::prepare(table::Worker& reader) {
  out_format_ = TRY(table::file_format(options_.out));
  const bool is_supported =
      out_format_ != table::FileFormat::json && !options_.out.ends_with(".gz");
  if (!is_supported) {
    return fail(
        Code::invalid_argument,
        "--out '{}' ends in none of .parquet, .csv and .ndjson",
        options_.out
    );
  }
  const table::FileHead head = TRY(table::read_head(reader, options_.in));
  match_ = TRY(match_columns(
      environment_.version->signature(),
      head,
      {.endpoint_features = environment_.endpoint_features,
       .columns = options_.columns,
       .keep = options_.keep}
  ));
  plan_ = TRY(table::plan_typed_read(
      head, {.columns = match_.columns, .keep = options_.keep, .batch_rows = options_.part_rows}
  ));
  const std::span<const tensor::ColumnSpec> specs(*plan_.query.specs);
  layout_ = TRY(OutputLayout::create(
      *environment_.version, specs.last(options_.keep.size()), plan_.kept_types, options_.with_ids
  ));
  const std::string plan = plan_text();
  id_ = fmt::format("batch-{:016x}", hash64(plan));
  const Parts::Old old = options_.restart ? Parts::Old::throw_away : Parts::Old::go_on;
  parts_ = TRY(Parts::open(options_.out, plan, old));
  first_part_ = parts_->first_missing();
  plan_.query.skip_rows = first_part_ * options_.part_rows;
  const PartCounts before = parts_->total();
  progress_.resumed = before.rows + before.rejected;
  progress_.rows = progress_.resumed;
  progress_.total = TRY(table::estimate_rows(reader, head));
  if (!match_.note.empty() && environment_.tell) environment_.tell(match_.note);
  return {};
}

// What must be the same for parts to belong together, on one line.
std::string Job::plan_text() const {
  struct stat status {};
  std::error_code error;
  const std::string in = std::filesystem::absolute(options_.in, error).lexically_normal();
  ::stat(options_.in.c_str(), &status);
  std::vector<std::string> columns;
  for (const table::TypedColumn& column : match_.columns) columns.push_back(column.name);
  return json::serialize(json::object{
      {"model", environment_.version->sha256()},
      {"in", in},
      {"bytes", static_cast<std::int64_t>(status.st_size)},
      {"changed_us", status.st_mtim.tv_sec * us_per_second + status.st_mtim.tv_nsec / 1000},
      {"columns", json::value_from(columns)},
      {"keep", json::value_from(options_.keep)},
      {"ids", options_.with_ids},
      {"part_rows", options_.part_rows},
      {"block_rows", options_.block_rows},
  });
}

Result<Summary> Job::run() {
  begin_ns_ = monotonic_ns();
  table::Worker reader(patient(options_.worker));
  TRY(prepare(reader));
  const int predicting = std::max(options_.threads, 1);
  const int writing = (predicting + predicting_per_writer - 1) / predicting_per_writer;
  std::vector<std::thread> predictors;
  std::vector<std::thread> writers;
  for (int i = 0; i < predicting; ++i) predictors.emplace_back([this] { predict_parts(); });
  for (int i = 0; i < writing; ++i) writers.emplace_back([this] { write_parts(); });
  const Result<table::QueryResult> read_result = read(reader);
  if (!read_result) stop(read_result.error());
  waiting_.close();
  for (std::thread& thread : predictors) thread.join();
  predicted_.close();
  for (std::thread& thread : writers) thread.join();
  if (error_) return tl::unexpected(*error_);

  Summary summary;
  const std::string lines = TRY(unreadable_lines(read_result->json, summary.unreadable));
  TRY(parts_->join(out_format_, lines));
  summary.counts = parts_->total();
  summary.resumed = progress_.resumed;
  summary.running_us = (monotonic_ns() - begin_ns_) / 1000;
  summary.note = match_.note;
  return summary;
}

Result<table::QueryResult> Job::read(table::Worker& reader) {
  std::uint64_t number = first_part_;
  bool is_any = parts_->count() > 0;
  auto result = reader.read_columns(plan_.query, [&](tensor::Columns&& rows) -> Result<void> {
    const std::uint64_t part = number++;
    is_any = true;
    if (parts_->is_done(part)) return {};
    if (waiting_.push({part, std::move(rows)})) return {};
    return fail(Code::internal, "the work has ended");
  });
  // A file without rows has an output without rows.
  if (result && !is_any) waiting_.push({0, tensor::Columns(plan_.query.specs)});
  return result;
}

void Job::stop(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
  }
  waiting_.close(Queue<Part>::Rest::drop);
  predicted_.close(Queue<Predicted>::Rest::drop);
}

void Job::progressed(std::uint64_t rows) {
  const std::lock_guard lock(show_mutex_);
  progress_.rows += rows;
  progress_.running_us = (monotonic_ns() - begin_ns_) / 1000;
  if (environment_.show) environment_.show(progress_);
}

void Job::predict_parts() {
  BlockCall call(environment_.predictor, *environment_.version, match_);
  while (const std::optional<Part> part = waiting_.pop()) {
    Result<Predicted> predicted = predict(*part, call);
    if (!predicted) return stop(predicted.error());
    if (!predicted_.push(std::move(*predicted))) return;
  }
}

Result<Job::Predicted> Job::predict(const Part& part, BlockCall& call) {
  Predicted predicted{
      .number = part.number,
      .output = tensor::Columns(layout_->specs()),
      .counts = {},
      .rejected = {}};
  const tensor::Column& reasons = part.input[match_.columns.size()];
  const bool has_row_axis = environment_.version->signature().has_row_axis;
  const std::uint64_t block_rows = has_row_axis ? options_.block_rows : 1;
  std::vector<std::uint32_t> block;
  std::uint64_t shown = 0;
  for (std::size_t row = 0; row < part.input.rows(); ++row) {
    if (!reasons.is_null(row)) {
      predicted.rejected.emplace(row, reasons.text(row));
    } else {
      block.push_back(static_cast<std::uint32_t>(row));
    }
    const bool is_last = row + 1 == part.input.rows();
    if (block.size() < block_rows && !is_last) continue;
    if (!block.empty()) TRY(predict_block(part, block, call, predicted));
    block.clear();
    progressed(row + 1 - shown);
    shown = row + 1;
    if (environment_.wait) environment_.wait();
  }
  predicted.counts.rejected = predicted.rejected.size();
  return predicted;
}

// A block that is refused is taken apart until it is clear which rows are to blame.
Result<void> Job::predict_block(
    const Part& part, std::span<const std::uint32_t> rows, BlockCall& call, Predicted& predicted
) {
  std::string id;
  if (options_.with_ids) {
    id = fmt::format("{}-{}", id_, part.number * options_.part_rows + rows.front());
  }
  const Result<void> done = call.predict(part.input, rows, id);
  if (done) {
    layout_->append(call, part.input, rows, predicted.output);
    predicted.counts.rows += rows.size();
    return {};
  }
  if (is_of_no_row(done.error().code)) return done;
  if (rows.size() == 1) {
    predicted.rejected.emplace(rows.front(), done.error().message);
    return {};
  }
  TRY(predict_block(part, rows.first(rows.size() / 2), call, predicted));
  return predict_block(part, rows.subspan(rows.size() / 2), call, predicted);
}

void Job::write_parts() {
  table::WorkerOptions options = patient(options_.worker);
  options.threads = 1;
  table::Worker writer(options);
  while (const std::optional<Predicted> predicted = predicted_.pop()) {
    if (const Result<void> written = write(writer, *predicted); !written) {
      return stop(written.error());
    }
  }
}

Result<void> Job::write(table::Worker& writer, const Predicted& predicted) {
  const tensor::Columns* rows = &predicted.output;
  const auto source = [&]() -> Result<const tensor::Columns*> {
    return std::exchange(rows, nullptr);
  };
  const std::string statement = layout_->copy_statement(
      out_format_, parts_->temporary_path(predicted.number), predicted.number == 0
  );
  TRY(writer.write_columns(statement, *layout_->specs(), source));
  std::string rejected;
  for (const auto& [row, reason] : predicted.rejected) {
    rejected +=
        with_line_end({{"row", predicted.number * options_.part_rows + row}, {"reason", reason}});
  }
  return parts_->finish(predicted.number, predicted.counts, rejected);
}

}  // namespace weir::batch
