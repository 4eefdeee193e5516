#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"

namespace weir::cli {

namespace json = boost::json;

Result<int> run_ledger(const LedgerArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  json::object body;
  if (arguments.action == "erase") {
    body["key"] = arguments.key;
    if (!arguments.endpoint.empty()) body["endpoint"] = arguments.endpoint;
  }
  const json::value done = TRY(client.post("/ledger/" + arguments.action, body));
  if (arguments.client.json) {
    print_json(done);
  } else if (arguments.action == "erase") {
    print(fmt::format("{} rows erased\n", with_commas(count_of(done.as_object(), "erased_rows"))));
  } else {
    print(fmt::format(
        "{} Parquet files, {:.1f} MiB\n",
        with_commas(count_of(done.as_object(), "parquet_files")),
        number_of(done.as_object(), "parquet_bytes") / 1048576
    ));
  }
  return 0;
}

}  // namespace weir::cli
