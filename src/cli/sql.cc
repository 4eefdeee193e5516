#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

std::string result_text(const json::object& result) {
  std::vector<std::string> names;
  for (const json::value& column : array_of(result, "columns")) {
    names.push_back(text_of(column.as_object(), "name"));
  }
  TextTable table(names);
  for (const json::value& row : array_of(result, "rows")) {
    std::vector<std::string> cells;
    cells.reserve(names.size());
    for (const std::string& name : names) cells.push_back(text_of(row.as_object(), name));
    table.add(std::move(cells));
  }
  std::string text = table.text(160);
  const std::uint64_t rows = count_of(result, "row_count");
  text += fmt::format("({} row{})\n", with_commas(rows), rows == 1 ? "" : "s");
  if (flag_of(result, "truncated")) {
    text += "There are more rows; ask for them with --max-rows, or write all with 'weir export'.\n";
  }
  return text;
}

}  // namespace

Result<int> run_sql(const SqlArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  json::object body{{"query", arguments.query}};
  // A person reads a page; a program takes all that the server gives.
  constexpr std::uint64_t page_rows = 1000;
  const std::uint64_t rows = arguments.max_rows > 0  ? arguments.max_rows
                             : arguments.client.json ? 0
                                                     : page_rows;
  if (rows > 0) body["max_rows"] = rows;
  const json::value result = TRY(client.post("/sql", body));
  if (arguments.client.json) {
    print_json(result.as_object().at("rows"));
  } else {
    print(result_text(result.as_object()));
  }
  return 0;
}

}  // namespace weir::cli
