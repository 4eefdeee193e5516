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

std::string records_view(
    const Snapshot& snapshot, const EndpointFiles& files, std::string_view endpoint, Join join
) {
  const std::string records = all_rows(files.records, snapshot.segments, endpoint, "records");
  if (join == Join::none) {
    return fmt::format(
        "CREATE VIEW {} AS WITH weir_records AS ({}) {} FROM weir_records r",
        quote_identifier(endpoint),
        records,
        records_select("NULL::VARCHAR")
    );
  }
  return fmt::format(
      "CREATE VIEW {} AS WITH weir_records AS ({}), weir_feedback AS ({}), weir_labels AS ("
      "SELECT id, \"row\", arg_max(label, {{'t': \"time\", 'r': recorded_at}}) AS label "
      "FROM weir_feedback WHERE label IS NOT NULL GROUP BY id, \"row\"), "
      "weir_newest AS (SELECT r.id, r.\"row\", max(r.recorded_at) AS recorded_at, "
      "any_value(l.label) AS label FROM weir_records r JOIN weir_labels l "
      "ON r.id = l.id AND r.\"row\" = l.\"row\" GROUP BY r.id, r.\"row\") "
      "{} FROM weir_records r LEFT JOIN weir_newest n "
      "ON r.id = n.id AND r.\"row\" = n.\"row\" AND r.recorded_at = n.recorded_at",
      quote_identifier(endpoint),
      records,
      all_rows(files.feedback, snapshot.feedback_segments, endpoint, "feedback"),
      records_select("n.label")
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
