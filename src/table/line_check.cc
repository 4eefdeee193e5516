#include "table/line_check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "table/sql_text.h"

namespace weir::table {
namespace {

namespace json = boost::json;

constexpr std::array<char, 4> separators = {',', ';', '\t', '|'};

// The only row of a statement; nothing when it has none.
Result<std::optional<json::object>> first_row(Worker& worker, const std::string& sql) {
  std::optional<json::object> found;
  TRY(worker.read(sql, 1, [&](QueryResult&& batch) -> Result<void> {
    boost::system::error_code error;
    const json::value rows = json::parse(batch.json, error);
    if (error || !rows.is_array()) return fail(Code::internal, "the worker gave no JSON array");
    if (!found && !rows.get_array().empty()) found = rows.get_array()[0].as_object();
    return {};
  }));
  return found;
}

// The fields of a line; with the separator that makes most of them.
std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == separator && !is_quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

char separator_of(std::string_view line) {
  return *std::ranges::max_element(separators, {}, [&](char c) { return split(line, c).size(); });
}

std::uint64_t number_behind(std::string_view text, std::string_view words) {
  const std::size_t at = text.find(words);
  if (at == std::string_view::npos) return 0;
  std::uint64_t number = 0;
  std::from_chars(text.data() + at + words.size(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Result<void> check_fields(Worker& worker, const std::string& path) {
  const auto header = TRY(first_row(
      worker,
      "SELECT line FROM read_csv(" + literal(path) +
          ", auto_detect = false, delim = chr(1), quote = '', escape = '', header = false, "
          "columns = {'line': 'VARCHAR'}) LIMIT 1"
  ));
  const json::value* line = header ? header->if_contains("line") : nullptr;
  if (line == nullptr || !line->is_string()) return {};
  const char separator = separator_of(line->get_string());
  const std::size_t width = split(line->get_string(), separator).size();
  std::string columns;
  for (std::size_t i = 0; i < width; ++i) {
    columns += (i == 0 ? "" : ", ") + identifier("f" + std::to_string(i)) + ": 'VARCHAR'";
  }
  const auto read = first_row(
      worker,
      "SELECT count(*) AS n FROM read_csv(" + literal(path) +
          ", auto_detect = false, delim = " + literal(std::string(1, separator)) +
          ", quote = '\"', escape = '\"', header = true, columns = {" + columns + "})"
  );
  if (read) return {};
  const std::string& message = read.error().message;
  const std::uint64_t at = number_behind(message, "CSV Error on Line: ");
  const std::uint64_t fields = number_behind(message, "Found: ");
  if (at == 0 || fields == 0 || fields == width) return {};
  return fail(
      Code::invalid_argument,
      "'{}' line {}: it has {} {}, the header has {}; put a field that holds '{}' in quotes",
      path,
      at,
      fields,
      fields == 1 ? "field" : "fields",
      width,
      separator
  );
}

Result<void> check_keys(Worker& worker, const std::string& objects, const std::string& path) {
  const auto found = TRY(first_row(
      worker,
      "SELECT n, key FROM (SELECT n, unnest(keys) AS key FROM (SELECT row_number() OVER () AS n, "
      "json_keys(json) AS keys FROM " +
          objects +
          ") WHERE len(keys) > len(list_distinct(keys))) GROUP BY n, key HAVING count(*) > 1 "
          "ORDER BY n LIMIT 1"
  ));
  if (!found) return {};
  return fail(
      Code::invalid_argument,
      "'{}' object {}: the key '{}' is there twice; keep one",
      path,
      found->at("n").to_number<std::uint64_t>(),
      std::string_view(found->at("key").as_string())
  );
}

}  // namespace weir::table
