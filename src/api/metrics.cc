#include "api/metrics.h"

#include <functional>

#include "metrics/process.h"

namespace weir::api {
namespace {

using metrics::Kind;
using metrics::Labels;
using metrics::Registry;
using metrics::Sample;

using Callbacks = std::vector<Registry::Callback>;

// One number without labels.
void add_value(
    Callbacks& callbacks,
    Registry& registry,
    Kind kind,
    std::string_view name,
    std::string_view help,
    std::function<double()> value
) {
  callbacks.push_back(registry.callback(kind, name, help, [value = std::move(value)] {
    return std::vector<Sample>{{{}, value()}};
  }));
}

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

void show_recorder(Callbacks& callbacks, Registry& registry, const serve::Recorder& recorder) {
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_records_total",
      "Rows handed to the recorder.",
      [&] { return number(recorder.counts().recorded); }
  );
  callbacks.push_back(registry.callback(
      Kind::counter,
      "weir_records_dropped_total",
      "Rows that are in no ledger, by reason.",
      [&] {
        const serve::RecorderCounts counts = recorder.counts();
        return std::vector<Sample>{
            {{{"reason", "queue_full"}}, number(counts.dropped_full)},
            {{{"reason", "disk"}}, number(counts.dropped_failed)},
        };
      }
  ));
  add_value(
      callbacks,
      registry,
      Kind::gauge,
      "weir_recorder_queue_bytes",
      "Records that wait for the disk.",
      [&] { return number(recorder.counts().queue_bytes); }
  );
}

void show_ledger(Callbacks& callbacks, Registry& registry, const ledger::Ledger& ledger) {
  using Status = ledger::LedgerStatus;
  const auto add =
      [&](Kind kind, std::string_view name, std::string_view help, double (*value)(const Status&)) {
        add_value(callbacks, registry, kind, name, help, [&ledger, value] {
          return value(ledger.status());
        });
      };
  add(Kind::gauge,
      "weir_ledger_writing",
      "1 while records reach the disk, 0 while it refuses them.",
      [](const Status& status) { return status.writing ? 1.0 : 0.0; });
  add(Kind::counter, "weir_ledger_rows_total", "Rows written.", [](const Status& status) {
    return number(status.rows_written);
  });
  add(Kind::counter, "weir_ledger_bytes_total", "Bytes written.", [](const Status& status) {
    return number(status.bytes_written);
  });
  add(Kind::counter,
      "weir_ledger_write_errors_total",
      "Writes that the disk refused.",
      [](const Status& status) { return number(status.write_errors); });
  add(Kind::gauge,
      "weir_ledger_unsynced_seconds",
      "Age of the oldest record that is not on the device yet.",
      [](const Status& status) { return static_cast<double>(status.sync_age_us) / 1e6; });
  add(Kind::gauge, "weir_ledger_segments", "Segments on disk.", [](const Status& status) {
    return number(status.segments);
  });
  add(Kind::gauge, "weir_ledger_parquet_files", "Parquet files.", [](const Status& status) {
    return number(status.parquet_files);
  });
  add(Kind::gauge, "weir_ledger_parquet_bytes", "Their size.", [](const Status& status) {
    return number(status.parquet_bytes);
  });
}

void show_shadows(Callbacks& callbacks, Registry& registry, const serve::Shadows& shadows) {
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_shadow_offered_total",
      "Requests offered to shadow versions.",
      [&] { return number(shadows.counts().offered); }
  );
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_shadow_dropped_total",
      "Of those, dropped because a shadow could not keep up.",
      [&] { return number(shadows.counts().dropped); }
  );
  add_value(
      callbacks,
      registry,
      Kind::gauge,
      "weir_shadow_queue_requests",
      "Requests that wait for a shadow.",
      [&] { return number(shadows.counts().queued); }
  );
}

Labels pair_labels(const serve::PairKey& key) {
  return {
      {"endpoint", key.endpoint},
      {"primary_version", fmt::format("{}", key.primary)},
      {"other_version", fmt::format("{}", key.other)},
  };
}

void show_comparisons(
    Callbacks& callbacks, Registry& registry, const serve::Comparison& comparison
) {
  using Value = std::optional<double> (*)(const stats::PairsSummary&);
  const auto add = [&](Kind kind, std::string_view name, std::string_view help, Value value) {
    callbacks.push_back(registry.callback(kind, name, help, [&comparison, value] {
      std::vector<Sample> samples;
      for (const auto& entry : comparison.snapshot()) {
        const auto shown = value(entry.pairs.summary());
        if (shown) samples.push_back({pair_labels(entry.key), *shown});
      }
      return samples;
    }));
  };
  add(Kind::counter,
      "weir_comparison_pairs_total",
      "Rows that two versions answered for the same request.",
      [](const stats::PairsSummary& summary) { return std::optional(number(summary.pairs)); });
  add(Kind::gauge,
      "weir_comparison_label_agreement_ratio",
      "Share of those rows with the same label; absent below the minimum number of pairs.",
      [](const stats::PairsSummary& summary) {
        return summary.labels ? std::optional(summary.labels->rate) : std::nullopt;
      });
  add(Kind::gauge,
      "weir_comparison_score_distance",
      "Mean absolute difference of their scores.",
      [](const stats::PairsSummary& summary) {
        return summary.scores ? std::optional(summary.scores->mean_absolute) : std::nullopt;
      });
  add(Kind::gauge,
      "weir_comparison_latency_difference_seconds",
      "Mean of other - primary, time inside the model.",
      [](const stats::PairsSummary& summary) {
        return summary.latency ? std::optional(summary.latency->mean_us / 1e6) : std::nullopt;
      });
}

void show_feedback(Callbacks& callbacks, Registry& registry, const Sources& sources) {
  callbacks.push_back(registry.callback(
      Kind::counter,
      "weir_feedback_rows_total",
      "Feedback on disk, by what became of it.",
      [&controller = sources.controller, &feedback = sources.feedback] {
        std::vector<Sample> samples;
        for (const auto& view : controller.list()) {
          const std::string& name = view.state.name;
          const ledger::FeedbackCounts counts = feedback.totals(name);
          const auto add = [&](const char* result, std::uint64_t value) {
            samples.push_back({{{"endpoint", name}, {"result", result}}, number(value)});
          };
          add("matched", counts.matched);
          add("waiting", counts.waiting);
          add("duplicate", counts.duplicate);
          add("corrected", counts.corrected);
        }
        return samples;
      }
  ));
}

// One sample of each loaded version.
void show_versions(
    Callbacks& callbacks, Registry& registry, const control::Controller& controller
) {
  using Value = double (*)(const serve::Version&);
  const auto add = [&](Kind kind, std::string_view name, std::string_view help, Value value) {
    callbacks.push_back(registry.callback(kind, name, help, [&controller, value] {
      std::vector<Sample> samples;
      for (const auto& view : controller.list()) {
        for (const control::VersionView& version : view.versions) {
          if (version.loaded == nullptr) continue;
          samples.push_back(
              {{{"endpoint", view.state.name}, {"version", version.loaded->number_text()}},
               value(*version.loaded)}
          );
        }
      }
      return samples;
    }));
  };
  using serve::Version;
  add(Kind::gauge, "weir_version_memory_bytes", "Memory of a version.", [](const Version& version) {
    return number(version.memory_bytes());
  });
  add(Kind::counter,
      "weir_version_cpu_seconds_total",
      "CPU time of the threads that ran a version; of inline runs one in 16 is measured.",
      [](const Version& version) { return number(version.meter().cpu_ns.load()) / 1e9; });
  add(Kind::counter,
      "weir_version_executions_total",
      "Runs of a version; a batch is one.",
      [](const Version& version) { return number(version.statistics().execution_count.load()); });
  add(Kind::gauge,
      "weir_version_run_seconds",
      "What a run of one row is expected to take.",
      [](const Version& version) {
        return number(static_cast<std::uint64_t>(version.cost().expected_ns(1))) / 1e9;
      });
  add(Kind::gauge,
      "weir_version_queue_requests",
      "Requests that wait for a thread.",
      [](const Version& version) { return number(version.queued()); });
  add(Kind::counter,
      "weir_version_refused_total",
      "Requests refused because the queue was full or too long for their deadline.",
      [](const Version& version) { return number(version.meter().refused.load()); });
  add(Kind::counter,
      "weir_version_late_total",
      "Requests whose deadline passed in the queue; they were never run.",
      [](const Version& version) { return number(version.meter().late.load()); });
}

void show_server(
    Callbacks& callbacks, Registry& registry, const http::Server& server, const Api& api
) {
  add_value(callbacks, registry, Kind::gauge, "weir_http_connections", "Open connections.", [&] {
    return number(server.counts().connections_open);
  });
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_http_requests_total",
      "Requests of any kind.",
      [&] { return number(server.counts().requests_total); }
  );
  callbacks.push_back(registry.callback(
      Kind::counter,
      "weir_http_refused_total",
      "Connections and requests that never reached a handler, by reason.",
      [&server, &api] {
        const http::ServerCounts counts = server.counts();
        return std::vector<Sample>{
            {{{"reason", "connections"}}, number(counts.connections_refused)},
            {{{"reason", "malformed"}}, number(counts.malformed)},
            {{{"reason", "timeout"}}, number(counts.timeouts)},
            {{{"reason", "rate_limit"}}, number(api.rate_limited())},
        };
      }
  ));
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_access_log_dropped_total",
      "Lines of the access log that its queue or its file had no room for.",
      [&] { return number(server.counts().access_log_dropped); }
  );
}

}  // namespace

Callbacks show_metrics(
    Registry& registry, const Sources& sources, const http::Server& server, const Api& api
) {
  Callbacks callbacks = metrics::show_process(registry);
  show_recorder(callbacks, registry, sources.recorder);
  if (sources.ledger != nullptr) show_ledger(callbacks, registry, *sources.ledger);
  show_shadows(callbacks, registry, sources.shadows);
  show_comparisons(callbacks, registry, sources.comparison);
  show_feedback(callbacks, registry, sources);
  show_versions(callbacks, registry, sources.controller);
  show_server(callbacks, registry, server, api);
  add_value(
      callbacks,
      registry,
      Kind::gauge,
      "weir_requests_in_flight",
      "Predictions that are being answered.",
      [&admission = sources.admission] { return number(admission.in_flight()); }
  );
  add_value(
      callbacks,
      registry,
      Kind::counter,
      "weir_requests_refused_total",
      "Predictions refused before they were decoded: max_in_flight or max_backlog was reached.",
      [&admission = sources.admission] { return number(admission.refused()); }
  );
  return callbacks;
}

}  // namespace weir::api
