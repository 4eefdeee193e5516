#include "table/typed_file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/file.h"
#include "table/file_format.h"
#include "table/sql_text.h"
#include "table/typed_values.h"

namespace weir::table {
namespace {

constexpr int sampled_rows = 100'000;

bool is_json(FileFormat format) {
  return format == FileFormat::json || format == FileFormat::ndjson;
}

std::string objects_of(FileFormat format, const std::string& path) {
  const bool is_lines = format == FileFormat::ndjson;
  return "read_json_objects(" + literal(path) +
         (is_lines ? ", format = 'newline_delimited', ignore_errors = true)" : ", format = 'array')"
         );
}

// The column "text" of all rows.
Result<std::vector<std::string>> texts(Worker& worker, const std::string& sql) {
  std::vector<std::string> found;
  const auto specs = std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
      {"text", tensor::DataType::bytes, false}});
  TRY(worker
          .read_columns({.sql = sql, .specs = specs}, [&](tensor::Columns&& batch) -> Result<void> {
            for (std::size_t row = 0; row < batch.rows(); ++row)
              found.emplace_back(batch[0].text(row));
            return {};
          }));
  return found;
}

// The fields of a header line.
std::vector<std::string> split_header(std::string_view line, char delimiter) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      is_quoted = !is_quoted;
    } else if (line[i] == delimiter && !is_quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

// What separates the fields of the line most often.
char guess_delimiter(std::string_view line, std::string_view path) {
  if (path.ends_with(".tsv") || path.ends_with(".tsv.gz")) return '\t';
  char best = ',';
  std::size_t most = 0;
  for (const char candidate : {',', ';', '\t', '|'}) {
    const std::size_t count = split_header(line, candidate).size();
    if (count > most) best = candidate;
    most = std::max(most, count);
  }
  return best;
}

// Every column as text, so that nothing is guessed and a bad line is a bad line.
std::string csv_reader(const FileHead& head, std::string_view further) {
  std::string columns;
  for (const ColumnInfo& column : head.columns) {
    columns += (columns.empty() ? "" : ", ") + literal(column.name) + ": 'VARCHAR'";
  }
  return fmt::format(
      "read_csv({}, auto_detect = false, header = true, delim = {}, quote = '\"', escape = '\"', "
      "columns = {{{}}}{})",
      literal(head.path),
      literal(std::string(1, head.delimiter)),
      columns,
      further
  );
}

Result<void> read_csv_head(Worker& worker, FileHead& head) {
  auto lines = TRY(texts(
      worker,
      "SELECT coalesce(line, '') AS text FROM read_csv(" + literal(head.path) +
          ", auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', columns "
          "= {'line': 'VARCHAR'}) LIMIT 1"
  ));
  if (lines.empty() || lines.front().empty()) {
    return fail(
        Code::invalid_argument, "'{}' has no header line with the names of its columns", head.path
    );
  }
  std::string& line = lines.front();
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  if (line.ends_with('\r')) line.pop_back();
  head.delimiter = guess_delimiter(line, head.path);
  for (std::string& name : split_header(line, head.delimiter)) {
    if (std::ranges::find(head.columns, name, &ColumnInfo::name) != head.columns.end()) {
      return fail(Code::invalid_argument, "'{}' has two columns '{}'", head.path, name);
    }
    head.columns.push_back({std::move(name), "VARCHAR"});
  }
  return {};
}

Result<void> read_json_head(Worker& worker, FileFormat format, FileHead& head) {
  const std::string keys = fmt::format(
      "SELECT key AS text FROM (SELECT unnest(json_keys(json)) AS key, n FROM (SELECT json, "
      "row_number() OVER () AS n FROM {} LIMIT {}) WHERE json_type(json) = 'OBJECT') "
      "GROUP BY key ORDER BY min(n), key",
      objects_of(format, head.path),
      sampled_rows
  );
  for (std::string& name : TRY(texts(worker, keys)))
    head.columns.push_back({std::move(name), "JSON"});
  return {};
}

Result<const ColumnInfo*> find_column(const FileHead& head, const std::string& name) {
  const auto found = std::ranges::find(head.columns, name, &ColumnInfo::name);
  if (found != head.columns.end()) return &*found;
  std::vector<std::string> names;
  for (const ColumnInfo& column : head.columns) names.push_back(column.name);
  return fail(
      Code::invalid_argument,
      "'{}' has no column '{}'; it has: {}",
      head.path,
      name,
      names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))
  );
}

}  // namespace

Result<FileHead> read_head(Worker& worker, const std::string& path) {
  const FileFormat format = TRY(file_format(path));
  if (::access(path.c_str(), R_OK) != 0) return tl::unexpected(system_error("read", path));
  std::error_code error;
  FileHead head{.path = path, .columns = {}};
  if (std::filesystem::is_directory(path, error)) {
    return fail(Code::invalid_argument, "'{}' is a folder; one file, please", path);
  }
  if (format == FileFormat::csv) {
    TRY(read_csv_head(worker, head));
  } else if (is_json(format)) {
    TRY(read_json_head(worker, format, head));
  } else {
    const auto none = [](QueryResult&&) -> Result<void> { return {}; };
    head.columns =
        TRY(worker.read("FROM " + reader_of(format, path, false) + " LIMIT 0", 1, none)).columns;
  }
  return head;
}

Result<std::optional<RowEstimate>> estimate_rows(Worker& worker, const FileHead& head) {
  const FileFormat format = TRY(file_format(head.path));
  if (format == FileFormat::parquet) {
    const auto counted = TRY(texts(
        worker, "SELECT count(*)::VARCHAR AS text FROM " + reader_of(format, head.path, false)
    ));
    return RowEstimate{std::stoull(counted.front()), true};
  }
  if (format == FileFormat::json || head.path.ends_with(".gz")) return std::nullopt;
  constexpr std::size_t looked_at = 1 << 20;
  std::string begin(looked_at, '\0');
  std::ifstream file(head.path, std::ios::binary);
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(file.gcount()));
  const auto lines = static_cast<double>(std::ranges::count(begin, '\n'));
  std::error_code error;
  const auto size = static_cast<double>(std::filesystem::file_size(head.path, error));
  if (error || lines == 0) return std::nullopt;
  return RowEstimate{
      static_cast<std::uint64_t>(size / static_cast<double>(begin.size()) * lines), false};
}

Result<TypedPlan> plan_typed_read(const FileHead& head, const TypedRead& wanted) {
  const FileFormat format = TRY(file_format(head.path));
  TypedPlan plan;
  tensor::ColumnSpecs specs;
  std::string list;
  std::vector<std::string> reasons;
  std::vector<std::string> members;
  // Where the value stands in a row of the source: a column, or a member of the object.
  const auto place_of = [&](const std::string& name) {
    if (!is_json(format)) return identifier(name);
    members.push_back(json_pointer(name));
    return fmt::format("members[{}]", members.size());
  };
  for (const TypedColumn& column : wanted.columns) {
    const ColumnInfo& info = *TRY(find_column(head, column.name));
    const TypedValue value = typed_value(format, place_of(column.name), info, column);
    list += value.value + " AS " + identifier(fmt::format("c{}", specs.size())) + ", ";
    if (!value.reason.empty()) reasons.push_back(value.reason);
    specs.push_back({column.name, read_as(column.datatype), column.elements > 0});
  }
  if (is_json(format)) reasons.insert(reasons.begin(), std::string(no_object_reason));
  list += reasons.empty() ? "NULL::VARCHAR AS reason"
                          : fmt::format("coalesce({}) AS reason", fmt::join(reasons, ", "));
  specs.push_back({"reason", tensor::DataType::bytes, false});
  for (const std::string& name : wanted.keep) {
    const ColumnInfo& info = *TRY(find_column(head, name));
    const auto datatype = kept_datatype(info.type);
    const std::string place = place_of(name);
    list += ", " + (datatype ? place : place + "::VARCHAR") + " AS " +
            identifier(fmt::format("k{}", specs.size()));
    specs.push_back({name, datatype.value_or(tensor::DataType::bytes), false});
    plan.kept_types.push_back(info.type);
  }
  std::string source;
  if (is_json(format)) {
    source = fmt::format(
        "(SELECT json, json_extract(json, {}::VARCHAR[]) AS members FROM {})",
        literal_list(members),
        objects_of(format, head.path)
    );
  } else if (format == FileFormat::csv) {
    source = csv_reader(
        head,
        ", store_rejects = true, rejects_table = 'weir_rejects', rejects_scan = 'weir_scans', "
        "rejects_limit = 0"
    );
    plan.query.after =
        "SELECT line, first(error_message) AS reason, first(csv_line) AS text FROM weir_rejects "
        "GROUP BY line ORDER BY line";
  } else {
    source = reader_of(format, head.path, false);
  }
  plan.query.sql = "SELECT " + list + " FROM " + source;
  plan.query.specs = std::make_shared<const tensor::ColumnSpecs>(std::move(specs));
  plan.query.skip_rows = wanted.skip_rows;
  plan.query.batch_rows = wanted.batch_rows;
  return plan;
}

}  // namespace weir::table
