#include "events/metrics.h"

#include <string>
#include <string_view>
#include <utility>

namespace weir::events {
namespace {

using metrics::Kind;
using metrics::Registry;
using metrics::Sample;

struct Shown {
  Kind kind;
  std::string_view name;
  std::string_view help;
  double (*value)(const Counts& counts);
};

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

constexpr Shown shown[] = {
    {Kind::counter,
     "weir_events_sent_total",
     "CloudEvents that their server took.",
     [](const Counts& counts) { return number(counts.sent); }},
    {Kind::counter,
     "weir_events_failures_total",
     "Tries to send a CloudEvent that failed.",
     [](const Counts& counts) { return number(counts.failures); }},
    {Kind::gauge,
     "weir_events_queue_records",
     "Records that wait to be sent as CloudEvents.",
     [](const Counts& counts) { return number(counts.queue_records); }},
    {Kind::gauge,
     "weir_events_queue_bytes",
     "Their size.",
     [](const Counts& counts) { return number(counts.queue_bytes); }},
    {Kind::gauge,
     "weir_events_oldest_seconds",
     "How long the oldest of them has waited.",
     [](const Counts& counts) { return static_cast<double>(counts.oldest_us) / 1e6; }},
};

std::vector<Sample> drops(const Sinks& sinks) {
  std::vector<Sample> samples;
  for (const auto& [endpoint, counts] : sinks.counts()) {
    const auto add = [&, &name = endpoint](const char* reason, std::uint64_t value) {
      samples.push_back({{{"endpoint", name}, {"reason", reason}}, number(value)});
    };
    add("queue_full", counts.dropped_full);
    add("refused", counts.dropped_refused);
    add("expired", counts.dropped_expired);
    add("stopped", counts.dropped_stopped);
  }
  return samples;
}

}  // namespace

std::vector<Registry::Callback> show_metrics(Registry& registry, const Sinks& sinks) {
  std::vector<Registry::Callback> callbacks;
  for (const Shown& metric : shown) {
    callbacks.push_back(registry.callback(metric.kind, metric.name, metric.help, [&sinks, &metric] {
      std::vector<Sample> samples;
      for (const auto& [endpoint, counts] : sinks.counts()) {
        samples.push_back({{{"endpoint", endpoint}}, metric.value(counts)});
      }
      return samples;
    }));
  }
  callbacks.push_back(registry.callback(
      Kind::counter,
      "weir_events_dropped_total",
      "Records (queue_full) and CloudEvents that were never sent, by reason.",
      [&sinks] { return drops(sinks); }
  ));
  return callbacks;
}

}  // namespace weir::events
