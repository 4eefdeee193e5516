#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/status_text.h"

namespace weir::cli {

namespace json = boost::json;

Result<int> run_status(const StatusArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  if (!arguments.endpoint.empty()) {
    const json::value status = TRY(client.get(endpoint_path(arguments.endpoint)));
    if (arguments.client.json) {
      print_json(status);
    } else {
      print(endpoint_text(status.as_object()));
    }
    return 0;
  }
  json::value status = TRY(client.get("/status"));
  const json::value endpoints = TRY(client.get("/endpoints"));
  if (arguments.client.json) {
    status.as_object()["endpoints"] = endpoints;
    print_json(status);
  } else {
    print(server_text(status.as_object(), endpoints.as_array()));
  }
  return 0;
}

}  // namespace weir::cli
