#include <boost/json.hpp>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

std::string history_text(const json::object& rollout) {
  std::string text = fmt::format(
      "rollout {}: version {} over {}, {}\n\n",
      text_of(rollout, "number"),
      text_of(rollout, "candidate_version"),
      text_of(rollout, "primary_version"),
      text_of(rollout, "stage_name")
  );
  TextTable table({"time", "action", "stage", "by", "why"});
  for (const json::value& value : array_of(rollout, "history")) {
    const json::object& entry = value.as_object();
    const json::value* at = entry.if_contains("at");
    table.add({
        at != nullptr && at->is_int64() ? to_rfc3339(at->as_int64()) : text_of(entry, "at"),
        text_of(entry, "action"),
        text_of(entry, "stage"),
        text_of(entry, "by"),
        text_of(entry, "text"),
    });
  }
  return text + table.text();
}

}  // namespace

Result<int> run_rollout(const RolloutArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  const json::value endpoint = TRY(client.get(endpoint_path(arguments.endpoint)));
  const json::object* rollout = object_of(endpoint.as_object(), "rollout");
  if (rollout == nullptr) {
    return fail(
        Code::not_found,
        "'{0}' had no rollout so far; launch one with 'weir deploy {0} PATH'",
        arguments.endpoint
    );
  }
  if (arguments.client.json) {
    print_json(*rollout);
  } else {
    print(history_text(*rollout));
  }
  return 0;
}

}  // namespace weir::cli
