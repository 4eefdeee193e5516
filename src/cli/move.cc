#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/status_text.h"

namespace weir::cli {

namespace json = boost::json;

Result<int> run_move(const MoveArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  json::object body{{"by", "cli"}, {"text", arguments.text}};
  if (arguments.full) body["full"] = true;
  const json::value status =
      TRY(client.post(endpoint_path(arguments.endpoint, "/" + arguments.action), body));
  if (arguments.client.json) {
    print_json(status);
  } else {
    print(endpoint_text(status.as_object()));
  }
  return 0;
}

}  // namespace weir::cli
