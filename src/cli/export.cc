#include <cstdio>
#include <filesystem>
#include <memory>

#include <boost/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"
#include "net/url.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

Result<std::string> format_of(const std::string& path) {
  for (const char* format : {"parquet", "csv", "ndjson"}) {
    if (path.ends_with(std::string(".") + format)) return std::string(format);
  }
  return fail(
      Code::invalid_argument, "--out '{}' ends in none of .parquet, .csv and .ndjson", path
  );
}

std::string quote_identifier(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

// The chunks of the export, one after the other, into a file.
Result<void> download(Client& client, const std::string& id, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "wb"), &std::fclose
  );
  if (!file) return tl::unexpected(system_error("create", path));
  std::uint64_t offset = 0;
  while (true) {
    const std::string chunk =
        TRY(client.get_bytes(fmt::format("/exports/{}?offset={}", id, offset)));
    if (chunk.empty()) break;
    if (std::fwrite(chunk.data(), 1, chunk.size(), file.get()) != chunk.size()) {
      return tl::unexpected(system_error("write", path));
    }
    offset += chunk.size();
  }
  if (std::fflush(file.get()) != 0) return tl::unexpected(system_error("write", path));
  return {};
}

}  // namespace

Result<int> run_export(const ExportArguments& arguments) {
  const std::string format = TRY(format_of(arguments.out));
  Client client = TRY(Client::connect(arguments.client));
  const std::string query = arguments.sql.empty()
                                ? fmt::format(
                                      "SELECT * FROM {} WHERE label IS NOT NULL AND arm <> "
                                      "'shadow' ORDER BY time, id, row",
                                      quote_identifier(arguments.endpoint)
                                  )
                                : arguments.sql;
  json::value made = TRY(client.post("/exports", {{"query", query}, {"format", format}}));
  json::object& manifest = made.as_object();
  const std::string id = text_of(manifest, "id");
  const std::string partial = arguments.out + ".partial";
  TRY(download(client, id, partial));
  TRY(client.remove("/exports/" + id));
  const std::string hash = TRY(sha256_of_file(partial));
  if (hash != text_of(manifest, "sha256")) {
    return fail(Code::corrupt, "'{}' is not what the server wrote; try again", partial);
  }
  TRY(system_files().rename(partial, arguments.out));
  manifest.erase("id");
  manifest["endpoint"] = arguments.endpoint;
  manifest["file"] = std::filesystem::path(arguments.out).filename().string();
  const std::string manifest_path = arguments.out + ".manifest.json";
  TRY(system_files().write_whole(manifest_path, json::serialize(manifest) + "\n"));
  if (arguments.client.json) {
    print_json(manifest);
  } else {
    print(fmt::format(
        "{}: {} rows\n{}: query, hash and row count\n",
        arguments.out,
        with_commas(count_of(manifest, "rows")),
        manifest_path
    ));
  }
  return 0;
}

}  // namespace weir::cli
