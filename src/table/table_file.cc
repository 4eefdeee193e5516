#include "table/table_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <boost/json.hpp>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/file.h"
#include "table/file_format.h"
#include "table/line_check.h"
#include "table/sql_text.h"
#include "table/typed_values.h"

namespace weir::table {
namespace {

constexpr std::size_t largest_automatic_classes = 20;

Result<void> ignore_rows(QueryResult&&) {
  return {};
}

Result<FileFormat> readable_format(const std::string& path) {
  const FileFormat format = TRY(file_format(path));
  if (::access(path.c_str(), R_OK) != 0) return tl::unexpected(system_error("read", path));
  return format;
}

bool is_json(FileFormat format) {
  return format == FileFormat::json || format == FileFormat::ndjson;
}

// Objects as they stand in the file, one in each row's column "json".
std::string objects_of(FileFormat format, const std::string& path) {
  const char* layout = format == FileFormat::json ? "array" : "newline_delimited";
  return "read_json_objects(" + literal(path) + ", format = '" + layout + "')";
}

// The member of that name, by a JSON pointer.
std::string member(const std::string& name) {
  return "json_extract(json, " + literal(json_pointer(name)) + ") AS " + identifier(name);
}

// The text of the rows' only column.
Result<std::vector<std::string>> texts(Worker& worker, const std::string& sql) {
  std::vector<std::string> found;
  TRY(worker.read(sql, 10'000, [&](QueryResult&& batch) -> Result<void> {
    boost::system::error_code error;
    const boost::json::value rows = boost::json::parse(batch.json, error);
    if (error || !rows.is_array()) return fail(Code::internal, "the worker gave no JSON array");
    for (const boost::json::value& row : rows.get_array()) {
      const boost::json::value* text = row.as_object().if_contains("text");
      if (text != nullptr && text->is_string()) found.emplace_back(text->get_string());
    }
    return {};
  }));
  return found;
}

Result<std::vector<ColumnInfo>> columns_of(
    Worker& worker, FileFormat format, const std::string& path
) {
  if (!is_json(format)) {
    const QueryResult none =
        TRY(worker.read("FROM " + reader_of(format, path, false) + " LIMIT 0", 1, ignore_rows));
    return none.columns;
  }
  std::vector<ColumnInfo> columns;
  const std::string keys = "SELECT DISTINCT unnest(json_keys(json)) AS text FROM ";
  for (const std::string& name : TRY(texts(worker, keys + objects_of(format, path)))) {
    columns.push_back({name, "JSON"});
  }
  std::ranges::sort(columns, {}, &ColumnInfo::name);
  return columns;
}

const ColumnInfo* find(const std::vector<ColumnInfo>& columns, const std::string& name) {
  const auto found = std::ranges::find(columns, name, &ColumnInfo::name);
  return found == columns.end() ? nullptr : &*found;
}

Result<void> want(
    const std::vector<ColumnInfo>& columns, const std::string& name, const std::string& path
) {
  if (find(columns, name) != nullptr) return {};
  std::vector<std::string> names;
  for (const ColumnInfo& column : columns) names.push_back(column.name);
  return fail(
      Code::invalid_argument,
      "'{}' has no column '{}'; it has: {}",
      path,
      name,
      names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))
  );
}

bool is_whole(const ColumnInfo& column) {
  constexpr std::array<std::string_view, 10> names = {
      "TINYINT",
      "SMALLINT",
      "INTEGER",
      "BIGINT",
      "HUGEINT",
      "UTINYINT",
      "USMALLINT",
      "UINTEGER",
      "UBIGINT",
      "UHUGEINT"};
  return std::ranges::find(names, column.type) != names.end();
}

bool is_number(const ColumnInfo& column) {
  return is_whole(column) || column.type == "FLOAT" || column.type == "DOUBLE" ||
         column.type.starts_with("DECIMAL");
}

// The columns that are features, in the order of the file or of the caller.
Result<std::vector<std::string>> feature_names(
    const std::vector<ColumnInfo>& columns, const TrainingColumns& chosen, const std::string& path
) {
  std::vector<std::string> names = chosen.features;
  for (const std::string& name : names) TRY(want(columns, name, path));
  for (const std::string& name : chosen.leave_out) TRY(want(columns, name, path));
  if (names.empty()) {
    for (const ColumnInfo& column : columns) names.push_back(column.name);
  }
  std::erase_if(names, [&](const std::string& name) {
    return name == chosen.label ||
           std::ranges::find(chosen.leave_out, name) != chosen.leave_out.end();
  });
  if (names.empty()) {
    return fail(Code::invalid_argument, "'{}' has no column beside the label to train on", path);
  }
  for (const std::string& name : names) {
    const ColumnInfo& column = *find(columns, name);
    if (is_number(column) || column.type == "BOOLEAN") continue;
    return fail(
        Code::invalid_argument,
        "column '{}' of '{}' is {}; a feature must be a number: leave the column out, or turn its "
        "values into numbers first",
        name,
        path,
        column.type
    );
  }
  return names;
}

// The classes of the label; none when it is a number.
Result<std::vector<std::string>> classes_of(
    Worker& worker,
    const std::string& source,
    const ColumnInfo& label,
    const TrainingColumns& chosen
) {
  const bool is_automatic = chosen.kind == TrainingColumns::Label::automatic;
  if (chosen.kind == TrainingColumns::Label::number) return std::vector<std::string>{};
  if (is_automatic && is_number(label) && !is_whole(label)) return std::vector<std::string>{};
  const std::string name = identifier(label.name);
  std::vector<std::string> classes = TRY(texts(
      worker,
      "SELECT " + name + "::VARCHAR AS text FROM (SELECT DISTINCT " + name + " FROM " + source +
          " WHERE " + name + " IS NOT NULL ORDER BY " + name + " LIMIT " +
          std::to_string(chosen.max_classes + 1) + ")"
  ));
  if (is_automatic && is_whole(label) && classes.size() > largest_automatic_classes) {
    return std::vector<std::string>{};
  }
  if (classes.size() > chosen.max_classes) {
    return fail(
        Code::invalid_argument,
        "the label '{}' has more than {} classes; is it the right column?",
        label.name,
        chosen.max_classes
    );
  }
  return classes;
}

}  // namespace

Result<std::vector<ColumnInfo>> file_columns(Worker& worker, const std::string& path) {
  const FileFormat format = TRY(readable_format(path));
  return columns_of(worker, format, path);
}

Result<QueryResult> read_rows(
    Worker& worker, const std::string& path, const ReadRows& wanted, const Worker::Sink& sink
) {
  const FileFormat format = TRY(readable_format(path));
  if (is_json(format)) TRY(check_keys(worker, objects_of(format, path), path));
  const auto found = columns_of(worker, format, path);
  const bool has_all = found && std::ranges::all_of(wanted.wanted, [&](const std::string& name) {
                         return find(*found, name) != nullptr;
                       });
  // Where a line does not fit, the database finds other columns, or none.
  if (!has_all && format == FileFormat::csv) TRY(check_fields(worker, path));
  if (!found) return tl::unexpected(found.error());
  const std::vector<ColumnInfo>& columns = *found;
  for (const std::string& name : wanted.wanted) TRY(want(columns, name, path));
  const bool wants_all = wanted.wanted.empty() && wanted.optional.empty();
  std::string list;
  for (const ColumnInfo& column : columns) {
    const auto is_in = [&](const std::vector<std::string>& names) {
      return std::ranges::find(names, column.name) != names.end();
    };
    if (!wants_all && !is_in(wanted.wanted) && !is_in(wanted.optional)) continue;
    if (!list.empty()) list += ", ";
    list += is_json(format) ? member(column.name) : identifier(column.name);
  }
  if (list.empty()) return fail(Code::invalid_argument, "'{}' has no column to read", path);
  const std::string source =
      is_json(format) ? objects_of(format, path) : reader_of(format, path, true);
  auto read = worker.read("SELECT " + list + " FROM " + source, wanted.batch_rows, sink);
  const bool is_about_lines = !read && read.error().message.find("CSV") != std::string::npos;
  if (is_about_lines && format == FileFormat::csv) TRY(check_fields(worker, path));
  return read;
}

Result<TrainingSet> read_training_set(
    Worker& worker, const std::string& path, const TrainingColumns& columns
) {
  const FileFormat format = TRY(readable_format(path));
  const std::string source = reader_of(format, path, false);
  const QueryResult described = TRY(worker.read("FROM " + source + " LIMIT 0", 1, ignore_rows));
  TRY(want(described.columns, columns.label, path));
  const ColumnInfo& label = *find(described.columns, columns.label);
  TrainingSet set;
  set.features = TRY(feature_names(described.columns, columns, path));
  set.classes = TRY(classes_of(worker, source, label, columns));

  const std::string name = identifier(label.name);
  std::string sql = "SELECT ";
  for (const std::string& feature : set.features) sql += identifier(feature) + "::FLOAT, ";
  sql += set.classes.empty() ? name + "::FLOAT"
                             : "(list_position(" + literal_list(set.classes) + ", " + name +
                                   "::VARCHAR) - 1)::FLOAT";
  FloatMatrix matrix = TRY(worker.read_matrix(sql + " FROM " + source));
  const std::size_t width = set.features.size();
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    const float* values = matrix.values.data() + row * (width + 1);
    if (values[width] != values[width]) {
      ++set.unlabeled;
      continue;
    }
    set.values.insert(set.values.end(), values, values + width);
    set.labels.push_back(values[width]);
  }
  if (set.labels.empty()) {
    return fail(Code::invalid_argument, "'{}' has no row with a label '{}'", path, label.name);
  }
  return set;
}

}  // namespace weir::table
