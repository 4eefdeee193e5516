#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/faulty_files.h"
#include "ledger/ledger.h"
#include "ledger/test_rows.h"
#include "ledger/views.h"
#include "table/worker.h"

// For tests: a ledger with a worker process, and SQL over it. The test program is its own worker.

namespace weir::ledger {

inline table::Worker& test_worker() {
  static table::Worker worker(table::WorkerOptions{
      .memory_bytes = 256ULL << 20, .threads = 1, .niceness = 0});
  return worker;
}

inline Options worker_options(const TemporaryFolder& folder) {
  return {
      .folder = folder.path() + "/ledger",
      .sync_interval_us = 3'600 * us_per_second,
      .retry_interval_us = 0,
      .min_free_bytes = 0,
      .maintain = false};
}

inline std::unique_ptr<Ledger> open_with_worker(
    const TemporaryFolder&, const Options& options, FileSystem& files = system_files()
) {
  auto ledger = Ledger::open(options, files, &test_worker());
  return ledger ? std::move(*ledger) : nullptr;
}

inline std::unique_ptr<Ledger> open_with_worker(
    const TemporaryFolder& folder, FileSystem& files = system_files()
) {
  return open_with_worker(folder, worker_options(folder), files);
}

inline Result<void> wait_for_sync(Ledger& ledger) {
  std::promise<Result<void>> promise;
  ledger.when_synced([&](Result<void> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

// The JSON of a query over the views, as a user gets it, or the error.
inline std::string ask_snapshot(const Snapshot& snapshot, const std::string& query) {
  const std::vector<std::string> endpoints = {"e"};
  SqlViews views = make_views(snapshot, endpoints, query);
  const auto result = test_worker().query(
      {.setup = std::move(views.setup), .sql = query, .readable = std::move(views.readable)}
  );
  return result ? result->json : result.error().message;
}

inline std::string ask(const Ledger& ledger, const std::string& query) {
  return ask_snapshot(ledger.snapshot(), query);
}

// The ids of all records of an endpoint, sorted.
inline std::vector<std::string> sql_ids(const Ledger& ledger, const std::string& endpoint) {
  const std::string json =
      ask(ledger, "SELECT string_agg(id, ',' ORDER BY id) AS ids FROM \"" + endpoint + "\"");
  std::string list = json;
  const std::string begin = R"([{"ids":")";
  if (json == R"([{"ids":null}])") return {};
  if (!json.starts_with(begin)) return {json};
  list = list.substr(begin.size(), list.size() - begin.size() - 3);
  std::vector<std::string> ids;
  for (std::size_t at = 0; at != std::string::npos;) {
    const std::size_t comma = list.find(',', at);
    ids.push_back(list.substr(at, comma - at));
    at = comma == std::string::npos ? comma : comma + 1;
  }
  return ids;
}

}  // namespace weir::ledger
