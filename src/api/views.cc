#include "api/views.h"

#include <boost/json.hpp>

#include "base/clock.h"
#include "stats/intervals/proportion.h"

namespace weir::api {
namespace {

namespace json = boost::json;
using serve::EndpointRoute;
using serve::Lane;

json::value time_or_null(Moment moment) {
  if (moment == 0) return nullptr;
  return json::string(to_rfc3339(moment));
}

double percent(std::uint32_t ppm) {
  return ppm / 1e4;
}

json::object latency_document(const metrics::Histogram::Snapshot& latency) {
  const auto quantile_ms = [&](double share) { return latency.quantile(share) / 1e6; };
  return {
      {"count", latency.count},
      {"p50_ms", quantile_ms(0.5)},
      {"p90_ms", quantile_ms(0.9)},
      {"p99_ms", quantile_ms(0.99)},
  };
}

// Accuracy over labels that came while the prediction was recent; the formula and n stand with it.
json::object accuracy_document(const ledger::ArmAccuracy& accuracy) {
  json::object document{
      {"labelled", accuracy.labelled},
      {"correct", accuracy.correct},
      {"rate", nullptr},
      {"interval", nullptr},
      {"formula", "correct / labelled, Wilson 95 % interval"},
      {"mean_absolute_error", nullptr},
      {"root_mean_square_error", nullptr},
  };
  if (accuracy.labelled > 0) {
    const auto interval = stats::wilson(accuracy.correct, accuracy.labelled, 0.95);
    const auto n = static_cast<double>(accuracy.labelled);
    document["rate"] = static_cast<double>(accuracy.correct) / n;
    document["interval"] = json::array{interval.low, interval.high};
  }
  if (accuracy.numeric > 0) {
    const auto n = static_cast<double>(accuracy.numeric);
    document["mean_absolute_error"] = accuracy.sum_absolute_error / n;
    document["root_mean_square_error"] = std::sqrt(accuracy.sum_squared_error / n);
  }
  return document;
}

const ledger::ArmAccuracy* find_accuracy(
    const std::vector<ledger::ArmAccuracy>& all, const Lane& lane
) {
  for (const ledger::ArmAccuracy& accuracy : all) {
    if (accuracy.version == lane.version->number() &&
        accuracy.arm == rollout::to_string(lane.arm)) {
      return &accuracy;
    }
  }
  return nullptr;
}

json::object arm_document(
    const Lane& lane, std::uint32_t share_ppm, const std::vector<ledger::ArmAccuracy>& accuracy
) {
  const ledger::ArmAccuracy* labelled = find_accuracy(accuracy, lane);
  return {
      {"arm", json::string(rollout::to_string(lane.arm))},
      {"version", lane.version->number_text()},
      {"share_percent", percent(share_ppm)},
      {"requests", lane.requests_ok->value() + lane.requests_failed->value()},
      {"errors", lane.requests_failed->value()},
      {"rows", lane.rows->value()},
      {"latency", latency_document(lane.latency->snapshot())},
      {"accuracy", accuracy_document(labelled ? *labelled : ledger::ArmAccuracy())},
  };
}

json::array arm_documents(
    const EndpointRoute& route, const std::vector<ledger::ArmAccuracy>& accuracy
) {
  json::array arms;
  if (route.primary.version) {
    arms.push_back(arm_document(route.primary, rollout::whole_ppm - route.candidate_ppm, accuracy));
  }
  if (route.candidate.version) {
    arms.push_back(arm_document(route.candidate, route.candidate_ppm, accuracy));
  }
  for (const Lane& shadow : route.shadows) arms.push_back(arm_document(shadow, 0, accuracy));
  return arms;
}

json::array interval_document(const stats::Interval& interval) {
  return {interval.low, interval.high};
}

json::object comparison_document(const serve::Comparison::Entry& entry) {
  const stats::PairsSummary summary = entry.pairs.summary();
  json::object document{
      {"primary_version", fmt::format("{}", entry.key.primary)},
      {"other_version", fmt::format("{}", entry.key.other)},
      {"pairs", summary.pairs},
      {"wanted", summary.wanted},
      {"only_other_failed", summary.only_other_failed},
      {"text", summary.text()},
      {"labels", nullptr},
      {"scores", nullptr},
      {"latency", nullptr},
  };
  if (summary.labels) {
    document["labels"] = {
        {"n", summary.labels->n},
        {"agreed", summary.labels->agreed},
        {"rate", summary.labels->rate},
        {"interval", interval_document(summary.labels->interval)},
        {"formula", "agreed / n, Wilson 95 % interval"},
    };
  }
  if (summary.scores) {
    document["scores"] = {
        {"n", summary.scores->n},
        {"mean_absolute", summary.scores->mean_absolute},
        {"root_mean_square", summary.scores->root_mean_square},
        {"max_absolute", summary.scores->max_absolute},
        {"mean_signed", summary.scores->mean_signed},
        {"mean_signed_interval", interval_document(summary.scores->mean_signed_interval)},
        {"p50_absolute", summary.scores->p50_absolute},
        {"p99_absolute", summary.scores->p99_absolute},
        {"formula", "other - primary over n rows, normal 95 % interval of the mean"},
    };
  }
  if (summary.latency) {
    document["latency"] = {
        {"n", summary.latency->n},
        {"mean_us", summary.latency->mean_us},
        {"mean_interval_us", interval_document(summary.latency->mean_interval_us)},
        {"p50_us", summary.latency->p50_us},
        {"p99_us", summary.latency->p99_us},
        {"formula", "time inside the model, other - primary, normal 95 % interval of the mean"},
    };
  }
  return document;
}

json::object version_document(const control::VersionView& version) {
  json::object document{
      {"version", fmt::format("{}", version.entry.number)},
      {"name", version.entry.name},
      {"sha256", version.entry.sha256},
      {"file_name", version.entry.file_name},
      {"added_at", time_or_null(version.entry.added_at)},
      {"role", version.role},
      {"share_percent", percent(version.share_ppm)},
      {"loaded", version.loaded != nullptr},
      {"platform", version.loaded ? version.loaded->signature().platform : std::string()},
      {"memory_bytes", version.loaded ? version.loaded->memory_bytes() : 0},
      {"cpu_seconds", 0.0},
      {"run_us", 0.0},
      {"executions", 0},
      {"inferences", 0},
      {"queued", 0},
      {"refused", 0},
      {"late", 0},
  };
  if (version.loaded == nullptr) return document;
  const serve::VersionMeter& meter = version.loaded->meter();
  const serve::VersionStatistics& statistics = version.loaded->statistics();
  document["cpu_seconds"] = static_cast<double>(meter.cpu_ns.load()) / 1e9;
  document["run_us"] = static_cast<double>(version.loaded->cost().expected_ns(1)) / 1e3;
  document["executions"] = statistics.execution_count.load();
  document["inferences"] = statistics.inference_count.load();
  document["queued"] = version.loaded->queued();
  document["refused"] = meter.refused.load();
  document["late"] = meter.late.load();
  return document;
}

json::object feedback_document(const ledger::FeedbackCounts& counts, std::uint64_t repeated) {
  return {
      {"accepted", counts.accepted},
      {"matched", counts.matched},
      {"waiting", counts.waiting},
      {"duplicate", counts.duplicate},
      {"corrected", counts.corrected},
      {"repeated_ids", repeated},
  };
}

json::object ledger_document(const ledger::LedgerStatus& status) {
  return {
      {"writing", status.writing},
      {"failure", status.failure},
      {"failing_since", time_or_null(status.failing_since)},
      {"sync_failure", status.sync_failure},
      {"compaction_failure", status.compaction_failure},
      {"rows_written", status.rows_written},
      {"bytes_written", status.bytes_written},
      {"write_errors", status.write_errors},
      {"feedback_written", status.feedback_written},
      {"feedback_failure", status.feedback_failure},
      {"segments", status.segments},
      {"segment_bytes", status.segment_bytes},
      {"parquet_files", status.parquet_files},
      {"parquet_bytes", status.parquet_bytes},
      {"backlog_segments", status.backlog_segments},
      {"compacted_rows", status.compacted_rows},
      {"erased_rows", status.erased_rows},
      {"torn_bytes", status.torn_bytes},
      {"damaged_blocks", status.damaged_blocks},
  };
}

}  // namespace

json::object rollout_document(const rollout::RolloutState& state) {
  json::object document = json::parse(rollout::to_json(state)).as_object();
  document["stage_name"] = state.stage_name();
  document["is_active"] = state.is_active();
  document["candidate_share_percent"] = percent(state.candidate_share_ppm());
  return document;
}

json::object endpoint_summary(const control::EndpointView& view) {
  const auto& rollout = view.state.rollout;
  const bool is_active = rollout && rollout->is_active();
  return {
      {"name", view.state.name},
      {"ready", view.is_ready()},
      {"primary_version", fmt::format("{}", view.state.primary)},
      {"candidate_version",
       is_active ? json::value(rollout->candidate_version) : json::value(nullptr)},
      {"stage", is_active ? json::value(rollout->stage_name()) : json::value(nullptr)},
      {"versions", view.state.versions.size()},
  };
}

json::object endpoint_status(const control::EndpointView& view, const Sources& sources) {
  json::object document = endpoint_summary(view);
  const std::string& name = view.state.name;
  json::array versions;
  for (const control::VersionView& version : view.versions) {
    versions.push_back(version_document(version));
  }
  document["versions"] = std::move(versions);
  document["load_error"] = view.load_error;
  document["rollout"] = nullptr;
  if (view.state.rollout) document["rollout"] = rollout_document(*view.state.rollout);
  document["arms"] = json::array();
  const auto table = sources.routes.load();
  if (const auto found = table->find(name); found != table->end()) {
    document["arms"] = arm_documents(*found->second, sources.feedback.accuracy(name));
  }
  json::array comparisons;
  for (const auto& entry : sources.comparison.snapshot()) {
    if (entry.key.endpoint == name) comparisons.push_back(comparison_document(entry));
  }
  document["comparisons"] = std::move(comparisons);
  document["shadow_dropped"] = sources.shadows.dropped(name);
  document["feedback"] =
      feedback_document(sources.feedback.totals(name), sources.feedback.repeated_ids(name));
  return document;
}

json::object server_status(const Sources& sources, Moment started_at) {
  const serve::RecorderCounts recorder = sources.recorder.counts();
  const serve::ShadowCounts shadows = sources.shadows.counts();
  json::object document{
      {"version", WEIR_VERSION},
      {"started_at", time_or_null(started_at)},
      {"in_flight", sources.admission.in_flight()},
      {"refused", sources.admission.refused()},
      {"recorder",
       {{"recorded", recorder.recorded},
        {"written", recorder.written},
        {"dropped_full", recorder.dropped_full},
        {"dropped_failed", recorder.dropped_failed},
        {"queue_bytes", recorder.queue_bytes}}},
      {"shadows",
       {{"offered", shadows.offered},
        {"answered", shadows.answered},
        {"failed", shadows.failed},
        {"dropped", shadows.dropped},
        {"queued", shadows.queued}}},
      {"ledger", nullptr},
  };
  if (sources.ledger != nullptr) document["ledger"] = ledger_document(sources.ledger->status());
  return document;
}

}  // namespace weir::api
