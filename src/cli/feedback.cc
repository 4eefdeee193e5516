#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/text_table.h"
#include "table/table_file.h"
#include "table/worker.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

// What the server said of the batches so far.
struct Totals {
  std::uint64_t accepted = 0;
  std::uint64_t matched = 0;
  std::uint64_t waiting = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t corrected = 0;

  void add(const json::object& answer) {
    accepted += count_of(answer, "accepted");
    matched += count_of(answer, "matched");
    waiting += count_of(answer, "waiting");
    duplicate += count_of(answer, "duplicate");
    corrected += count_of(answer, "corrected");
  }
  json::object document() const {
    return {
        {"accepted", accepted},
        {"matched", matched},
        {"waiting", waiting},
        {"duplicate", duplicate},
        {"corrected", corrected},
    };
  }
};

// Fields of a CSV are text; `row` and `value` are numbers, and an empty field is no field.
Result<json::array> to_feedback(const std::string& rows) {
  boost::system::error_code error;
  json::value value = json::parse(rows, error);
  if (error) return fail(Code::internal, "the rows of the file: {}", error.message());
  for (json::value& row : value.as_array()) {
    json::object& object = row.as_object();
    for (auto member = object.begin(); member != object.end();) {
      member = member->value().is_null() ? object.erase(member) : member + 1;
    }
    for (const char* name : {"row", "value"}) {
      json::value* number = object.if_contains(name);
      if (number == nullptr || !number->is_string()) continue;
      json::value parsed = json::parse(number->as_string(), error);
      if (!error && parsed.is_number()) *number = std::move(parsed);
    }
  }
  return std::move(value.as_array());
}

std::string totals_text(const std::string& path, const Totals& totals) {
  return fmt::format(
      "{}: {} accepted, {} matched, {} waiting for their prediction, {} duplicate, {} corrected\n",
      path,
      with_commas(totals.accepted),
      with_commas(totals.matched),
      with_commas(totals.waiting),
      with_commas(totals.duplicate),
      with_commas(totals.corrected)
  );
}

}  // namespace

Result<int> run_feedback(const FeedbackArguments& arguments) {
  Client client = TRY(Client::connect(arguments.client));
  // Asked first, so that a wrong name or server is found before the file is read.
  TRY(client.get(endpoint_path(arguments.endpoint)));
  table::Worker worker(table::WorkerOptions{});
  table::ReadRows wanted;
  wanted.wanted = {"id"};
  wanted.optional = {"row", "label", "event", "value", "tag", "time"};
  Totals totals;
  const auto send = [&](table::QueryResult&& rows) -> Result<void> {
    const json::array batch = TRY(to_feedback(rows.json));
    if (batch.empty()) return {};
    auto answer = client.post_bytes(
        endpoint_path(arguments.endpoint, "/feedback"), json::serialize(batch), "application/json"
    );
    if (!answer) {
      return fail(
          answer.error().code,
          "{} (after {} rows were accepted)",
          answer.error().message,
          totals.accepted
      );
    }
    totals.add(answer->as_object());
    return {};
  };
  TRY(table::read_rows(worker, arguments.path, wanted, send));
  if (arguments.client.json) {
    print_json(totals.document());
  } else {
    print(totals_text(arguments.path, totals));
  }
  return 0;
}

}  // namespace weir::cli
