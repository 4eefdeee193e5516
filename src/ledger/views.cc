#include "ledger/views.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "ledger/record.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

enum class Join : std::uint8_t { labels, none };

std::string weir_segments(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
) {
  return fmt::format(
      "weir_segments({}::VARCHAR[], {}, {})",
      quote_list(paths),
      quote_text(endpoint),
      quote_text(kind)
  );
}

// All rows of one kind. The segments give every fixed column even when there are none.
std::string all_rows(
    std::span<const std::string> parquet,
    std::span<const std::string> segments,
    std::string_view endpoint,
    std::string_view kind
) {
  const std::string live = fmt::format(
      "SELECT * REPLACE (make_timestamp(\"time\") AS \"time\", make_timestamp(recorded_at) AS "
      "recorded_at) FROM {}",
      weir_segments(segments, endpoint, kind)
  );
  if (parquet.empty()) return live;
  return fmt::format("SELECT * FROM {} UNION ALL BY NAME {}", read_parquet(parquet), live);
}

// The fixed columns of a record, with the label behind the prediction.
std::string records_select(std::string_view label) {
  std::string list;
  std::string names;
  for (const tensor::ColumnSpec& spec : head_specs()) {
    const std::string name = quote_identifier(spec.name);
    list += fmt::format("{}r.{}", list.empty() ? "" : ", ", name);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    if (spec.name == "predicted") list += fmt::format(", {} AS label", label);
  }
  return fmt::format("SELECT {}, r.* EXCLUDE ({})", list, names);
}

// The labels of an endpoint in a table of their own, as small as they can be: a query over many
// records then builds its hash table on the labels, and not on the records. The key stands for id
// and row; two of ten million labels get the same one with a probability of 0.000003.
std::string labels_table(
    const Snapshot& snapshot, const EndpointFiles& files, std::string_view endpoint
) {
  return fmt::format(
      "CREATE SCHEMA IF NOT EXISTS weir;\n"
      "CREATE TABLE weir.given AS SELECT hash(id, \"row\") AS k, "
      "arg_max(label, epoch_us(\"time\")::HUGEINT * 9223372036854775808 + epoch_us(recorded_at)) "
      "AS label "
      "FROM ({}) WHERE label IS NOT NULL GROUP BY k;\n"
      "CREATE TABLE weir.{} AS SELECT g.k, max(r.recorded_at) AS recorded_at, "
      "any_value(g.label) AS label FROM (SELECT hash(id, \"row\") AS k, recorded_at FROM ({})) r "
      "JOIN weir.given g ON r.k = g.k GROUP BY g.k;\n"
      "DROP TABLE weir.given;\n",
      all_rows(files.feedback, snapshot.feedback_segments, endpoint, "feedback"),
      quote_identifier(endpoint),
      all_rows(files.records, snapshot.segments, endpoint, "records")
  );
}

std::string records_view(
    const Snapshot& snapshot, const EndpointFiles& files, std::string_view endpoint, Join join
) {
  const std::string records = all_rows(files.records, snapshot.segments, endpoint, "records");
  const std::string name = quote_identifier(endpoint);
  if (join == Join::none || (files.feedback.empty() && snapshot.feedback_segments.empty())) {
    return fmt::format(
        "CREATE VIEW {} AS {} FROM ({}) r", name, records_select("NULL::VARCHAR"), records
    );
  }
  return fmt::format(
      "{}CREATE VIEW {} AS {} FROM ({}) r LEFT JOIN weir.{} n "
      "ON hash(r.id, r.\"row\") = n.k AND r.recorded_at = n.recorded_at",
      labels_table(snapshot, files, endpoint),
      name,
      records_select("n.label"),
      records,
      name
  );
}

std::string feedback_view(
    const Snapshot& snapshot, const EndpointFiles& files, std::string_view endpoint
) {
  return fmt::format(
      "CREATE VIEW {} AS {}",
      quote_identifier(fmt::format("{}_feedback", endpoint)),
      all_rows(files.feedback, snapshot.feedback_segments, endpoint, "feedback")
  );
}

std::string pairs_view(
    const Snapshot& snapshot, const EndpointFiles& files, std::string_view endpoint
) {
  return fmt::format(
      "CREATE VIEW {} AS WITH weir_records AS (SELECT id, \"row\", \"time\", recorded_at, version, "
      "arm, status, predicted, score, latency_us FROM ({}) WHERE module = '') "
      "SELECT a.id, a.\"row\", a.\"time\", a.version AS primary_version, a.arm AS primary_arm, "
      "s.version AS other_version, a.predicted AS primary_predicted, "
      "s.predicted AS other_predicted, a.score AS primary_score, s.score AS other_score, "
      "a.latency_us AS primary_latency_us, s.latency_us AS other_latency_us, "
      "a.status AS primary_status, s.status AS other_status "
      "FROM weir_records a JOIN weir_records s ON a.id = s.id AND a.\"row\" = s.\"row\" "
      "AND a.recorded_at = s.recorded_at WHERE a.arm <> 'shadow' AND s.arm = 'shadow'",
      quote_identifier(fmt::format("{}_pairs", endpoint)),
      all_rows(files.records, snapshot.segments, endpoint, "records")
  );
}

}  // namespace

std::string select_all(const Snapshot& snapshot, std::string_view endpoint, std::string_view kind) {
  const auto found = snapshot.endpoints.find(endpoint);
  const EndpointFiles files = found == snapshot.endpoints.end() ? EndpointFiles{} : found->second;
  return kind == "records" ? all_rows(files.records, snapshot.segments, endpoint, kind)
                           : all_rows(files.feedback, snapshot.feedback_segments, endpoint, kind);
}

SqlViews make_views(
    const Snapshot& snapshot, std::span<const std::string> endpoints, std::string_view query
) {
  std::set<std::string, std::less<>> names(endpoints.begin(), endpoints.end());
  for (const auto& [endpoint, files] : snapshot.endpoints) names.insert(endpoint);
  const auto wanted = [&](std::string_view view) { return mentions(query, view); };
  const bool is_any_wanted = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return wanted(name) || wanted(name + "_feedback") || wanted(name + "_pairs");
  });
  const Join join = can_see_column(query, "label") ? Join::labels : Join::none;

  SqlViews views;
  std::set<std::string> readable;
  for (const std::string& name : names) {
    const auto found = snapshot.endpoints.find(name);
    const EndpointFiles files = found == snapshot.endpoints.end() ? EndpointFiles{} : found->second;
    const auto make = [&](const std::string& view, const std::string& statement) {
      // An endpoint that is called like a view of another one keeps its name.
      const bool is_taken = view != name && names.contains(view);
      if (is_taken || (is_any_wanted && !wanted(view))) return;
      views.setup += statement + ";\n";
      readable.insert(files.records.begin(), files.records.end());
      readable.insert(files.feedback.begin(), files.feedback.end());
      readable.insert(snapshot.segments.begin(), snapshot.segments.end());
      readable.insert(snapshot.feedback_segments.begin(), snapshot.feedback_segments.end());
    };
    make(name, records_view(snapshot, files, name, join));
    make(name + "_feedback", feedback_view(snapshot, files, name));
    make(name + "_pairs", pairs_view(snapshot, files, name));
  }
  views.readable.assign(readable.begin(), readable.end());
  return views;
}

}  // namespace weir::ledger
