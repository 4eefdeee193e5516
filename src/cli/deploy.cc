#include <filesystem>

#include <boost/json.hpp>

#include "base/file.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/status_text.h"
#include "net/url.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

void add_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, net::percent_encode(value));
}

// What no server takes need not be read.
constexpr std::uint64_t max_upload_bytes = 4ULL << 30;

}  // namespace

Result<int> run_deploy(const DeployArguments& arguments) {
  TRY(check_regular_file(arguments.path, max_upload_bytes, "a deployment"));
  Client client = TRY(Client::connect(arguments.client));
  const std::string bytes = TRY(system_files().read(arguments.path));
  std::string query;
  add_parameter(query, "file_name", std::filesystem::path(arguments.path).filename().string());
  add_parameter(query, "stages", arguments.stages);
  add_parameter(query, "name", arguments.name);
  if (arguments.shadow) add_parameter(query, "shadow", "true");
  if (!arguments.plan_file.empty()) {
    add_parameter(query, "plan", TRY(system_files().read(arguments.plan_file)));
  }
  if (const auto sidecar = system_files().read(arguments.path + ".yaml")) {
    add_parameter(query, "sidecar", *sidecar);
  }
  const json::value status = TRY(client.post_bytes(
      endpoint_path(arguments.endpoint, "/deploy") + query, bytes, "application/octet-stream"
  ));
  if (arguments.client.json) {
    print_json(status);
  } else {
    print(endpoint_text(status.as_object()));
  }
  return 0;
}

}  // namespace weir::cli
