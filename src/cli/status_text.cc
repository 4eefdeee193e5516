#include "cli/status_text.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/print.h"
#include "cli/text_table.h"

namespace weir::cli {
namespace {

namespace json = boost::json;

std::string percent(double share) {
  return fmt::format("{:g} %", share);
}

// "76.4 % (n 1,234, 95 % 74.0 to 78.7)"
std::string accuracy_text(const json::object& accuracy) {
  const std::uint64_t labelled = count_of(accuracy, "labelled");
  if (labelled == 0) return "no labels";
  const json::array& interval = array_of(accuracy, "interval");
  return fmt::format(
      "{:.1f} % ({:.1f} to {:.1f}, n {})",
      100 * number_of(accuracy, "rate"),
      100 * interval.at(0).to_number<double>(),
      100 * interval.at(1).to_number<double>(),
      with_commas(labelled)
  );
}

std::string stage_text(const json::object& status) {
  const std::string candidate = text_of(status, "candidate_version");
  const std::string primary = text_of(status, "primary_version");
  const json::object* rollout = object_of(status, "rollout");
  if (!candidate.empty()) {
    const bool is_paused = rollout != nullptr && text_of(*rollout, "status") == "paused";
    return fmt::format(
        "version {} is primary, version {} is launched: {}{}",
        primary,
        candidate,
        text_of(status, "stage"),
        is_paused ? " (paused)" : ""
    );
  }
  std::string text = fmt::format("version {} is primary", primary);
  if (rollout != nullptr) {
    text += fmt::format(
        "; the last rollout, of version {}, was {}",
        text_of(*rollout, "candidate_version"),
        text_of(*rollout, "stage_name")
    );
  }
  return text;
}

std::string arms_text(const json::object& status) {
  TextTable table({"arm", "version", "share", "requests", "errors", "p50 ms", "p99 ms", "accuracy"}
  );
  for (const json::value& value : array_of(status, "arms")) {
    const json::object& arm = value.as_object();
    const json::object* latency = object_of(arm, "latency");
    const json::object* accuracy = object_of(arm, "accuracy");
    table.add({
        text_of(arm, "arm"),
        text_of(arm, "version"),
        percent(number_of(arm, "share_percent")),
        with_commas(count_of(arm, "requests")),
        with_commas(count_of(arm, "errors")),
        latency ? fmt::format("{:.2f}", number_of(*latency, "p50_ms")) : "",
        latency ? fmt::format("{:.2f}", number_of(*latency, "p99_ms")) : "",
        accuracy ? accuracy_text(*accuracy) : "",
    });
  }
  return table.text();
}

// What the loaded versions use.
std::string versions_text(const json::object& status) {
  TextTable table({"version", "memory MiB", "CPU s", "run ms", "runs", "rows", "queued", "refused"}
  );
  for (const json::value& value : array_of(status, "versions")) {
    const json::object& version = value.as_object();
    if (!flag_of(version, "loaded")) continue;
    table.add({
        text_of(version, "version"),
        fmt::format("{:.1f}", number_of(version, "memory_bytes") / 1048576),
        fmt::format("{:.2f}", number_of(version, "cpu_seconds")),
        fmt::format("{:.3f}", number_of(version, "run_us") / 1000),
        with_commas(count_of(version, "executions")),
        with_commas(count_of(version, "inferences")),
        with_commas(count_of(version, "queued")),
        with_commas(count_of(version, "refused") + count_of(version, "late")),
    });
  }
  return table.text();
}

std::string comparisons_text(const json::object& status) {
  std::string text;
  for (const json::value& value : array_of(status, "comparisons")) {
    const json::object& comparison = value.as_object();
    text += fmt::format(
        "version {} beside {}: {}\n",
        text_of(comparison, "other_version"),
        text_of(comparison, "primary_version"),
        text_of(comparison, "text")
    );
  }
  return text;
}

}  // namespace

std::string endpoint_text(const json::object& status) {
  std::string text = fmt::format("{}: {}\n", text_of(status, "name"), stage_text(status));
  if (const std::string error = text_of(status, "load_error"); !error.empty()) {
    text += fmt::format("not ready: {}\n", error);
  } else if (!flag_of(status, "ready")) {
    text += "not loaded\n";
  }
  text += '\n' + arms_text(status);
  text += '\n' + versions_text(status);
  if (const std::string comparisons = comparisons_text(status); !comparisons.empty()) {
    text += "\nThe same requests, answered by both\n" + comparisons;
  }
  if (const std::uint64_t dropped = count_of(status, "shadow_dropped"); dropped > 0) {
    text += fmt::format("{} requests were not shadowed (queue full)\n", with_commas(dropped));
  }
  if (const json::object* feedback = object_of(status, "feedback")) {
    if (const std::uint64_t accepted = count_of(*feedback, "accepted"); accepted > 0) {
      text += fmt::format(
          "\nFeedback: {} accepted, {} matched, {} waiting, {} duplicate, {} corrected\n",
          with_commas(accepted),
          with_commas(count_of(*feedback, "matched")),
          with_commas(count_of(*feedback, "waiting")),
          with_commas(count_of(*feedback, "duplicate")),
          with_commas(count_of(*feedback, "corrected"))
      );
    }
  }
  return text;
}

std::string server_text(const json::object& status, const json::array& endpoints) {
  std::string text = fmt::format(
      "weir {}, up since {}\n\n", text_of(status, "version"), text_of(status, "started_at")
  );
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
  text += table.text();
  const json::object* ledger = object_of(status, "ledger");
  const json::object* recorder = object_of(status, "recorder");
  if (ledger == nullptr || recorder == nullptr) return text + "\nThe ledger is off.\n";
  text += fmt::format(
      "\nLedger: {} rows written, {} in {} segments, {} in {} Parquet files\n",
      with_commas(count_of(*ledger, "rows_written")),
      fmt::format("{:.1f} MiB", number_of(*ledger, "segment_bytes") / 1048576),
      count_of(*ledger, "segments"),
      fmt::format("{:.1f} MiB", number_of(*ledger, "parquet_bytes") / 1048576),
      count_of(*ledger, "parquet_files")
  );
  if (!flag_of(*ledger, "writing")) {
    text += fmt::format(
        "NOT WRITING since {}: {}\n", text_of(*ledger, "failing_since"), text_of(*ledger, "failure")
    );
  }
  if (const std::string reason = text_of(*ledger, "feedback_failure"); !reason.empty()) {
    text += fmt::format("The last feedback was REFUSED: {}\n", reason);
  }
  const std::uint64_t dropped =
      count_of(*recorder, "dropped_full") + count_of(*recorder, "dropped_failed");
  if (dropped > 0) text += fmt::format("{} rows were dropped\n", with_commas(dropped));
  return text;
}

}  // namespace weir::cli
