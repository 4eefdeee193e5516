#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"
#include "net/url.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

std::string list_text(const json::array& endpoints) {
  TextTable table({"endpoint", "ready", "primary", "candidate", "stage", "versions"});
  for (const json::value& value : endpoints) {
    const json::object& endpoint = value.as_object();
    table.add({
        text_of(endpoint, "name"),
        flag_of(endpoint, "ready") ? "yes" : "no",
        text_of(endpoint, "primary_version"),
        text_of(endpoint, "candidate_version"),
        text_of(endpoint, "stage"),
        text_of(endpoint, "versions"),
    });
  }
  return table.text();
}

std::string versions_text(const json::object& endpoint) {
  TextTable table({"version", "role", "share", "loaded", "MiB", "file", "name", "sha256"});
  for (const json::value& value : array_of(endpoint, "versions")) {
    const json::object& version = value.as_object();
    table.add({
        text_of(version, "version"),
        text_of(version, "role"),
        fmt::format("{:g} %", number_of(version, "share_percent")),
        flag_of(version, "loaded") ? "yes" : "no",
        fmt::format("{:.1f}", number_of(version, "memory_bytes") / 1048576),
        text_of(version, "file_name"),
        text_of(version, "name"),
        text_of(version, "sha256").substr(0, 12),
    });
  }
  return table.text();
}

}  // namespace

Result<int> run_model(const ModelArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  if (arguments.action == "remove") {
    const json::value removed = TRY(client.remove(
        endpoint_path(arguments.endpoint, "/versions/" + net::percent_encode(arguments.version))
    ));
    if (arguments.client.json) {
      print_json(removed);
    } else {
      print(fmt::format("version {} of '{}' removed\n", arguments.version, arguments.endpoint));
    }
    return 0;
  }
  if (arguments.action == "list") {
    const json::value endpoints = TRY(client.get("/endpoints"));
    if (arguments.client.json) {
      print_json(endpoints);
    } else {
      print(list_text(endpoints.as_array()));
    }
    return 0;
  }
  const json::value endpoint = TRY(client.get(endpoint_path(arguments.endpoint)));
  if (arguments.client.json) {
    print_json(endpoint.as_object().at("versions"));
  } else {
    print(versions_text(endpoint.as_object()));
  }
  return 0;
}

}  // namespace weir::cli
