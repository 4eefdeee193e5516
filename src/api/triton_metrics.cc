#include "api/triton_metrics.h"

#include <string_view>

namespace weir::api {
namespace {

using metrics::Kind;
using metrics::Labels;
using metrics::Registry;
using metrics::Sample;
using serve::DurationCounter;
using serve::Version;
using serve::VersionStatistics;

using Add = void (*)(const Version& version, const Labels& labels, std::vector<Sample>& samples);

double count_of(const std::atomic<std::uint64_t>& counter) {
  return static_cast<double>(counter.load(std::memory_order_relaxed));
}

double us_of(const DurationCounter& counter) {
  return count_of(counter.ns) / 1e3;
}

struct Shown {
  std::string_view name;
  std::string_view help;
  Add add;
  Kind kind = Kind::counter;
};

// A counter that is one number of the statistics.
template <auto member>
void add_count(const Version& version, const Labels& labels, std::vector<Sample>& samples) {
  samples.push_back({labels, count_of(version.statistics().*member)});
}
template <auto member>
void add_us(const Version& version, const Labels& labels, std::vector<Sample>& samples) {
  samples.push_back({labels, us_of(version.statistics().*member)});
}

void add_successes(const Version& version, const Labels& labels, std::vector<Sample>& samples) {
  samples.push_back({labels, count_of(version.statistics().success.count)});
}

void add_failures(const Version& version, const Labels& labels, std::vector<Sample>& samples) {
  const auto add = [&](const char* reason, double value) {
    Labels extended = labels;
    extended.emplace_back("reason", reason);
    samples.push_back({std::move(extended), value});
  };
  const VersionStatistics& statistics = version.statistics();
  const auto failed = [&](serve::FailReason reason) {
    return count_of(statistics.failures[static_cast<std::size_t>(reason)]);
  };
  add("REJECTED", failed(serve::FailReason::rejected));
  add("CANCELED", count_of(statistics.cancelled.count));
  add("BACKEND", failed(serve::FailReason::in_model));
  add("OTHER", failed(serve::FailReason::other));
}

void add_waiting(const Version& version, const Labels& labels, std::vector<Sample>& samples) {
  samples.push_back({labels, static_cast<double>(version.queued())});
}

constexpr Shown shown[] = {
    {"nv_inference_request_success", "Requests that were answered.", add_successes},
    {"nv_inference_request_failure", "Requests that failed, by reason.", add_failures},
    {"nv_inference_count",
     "Rows of answered requests.",
     add_count<&VersionStatistics::inference_count>},
    {"nv_inference_exec_count",
     "Executions of the model.",
     add_count<&VersionStatistics::execution_count>},
    {"nv_inference_pending_request_count",
     "Requests that wait for the model.",
     add_waiting,
     Kind::gauge},
    {"nv_inference_request_duration_us",
     "Time of answered requests from the first byte on.",
     add_us<&VersionStatistics::success>},
    {"nv_inference_queue_duration_us",
     "Time that requests waited for the model.",
     add_us<&VersionStatistics::queue>},
    {"nv_inference_compute_input_duration_us",
     "Time of decoding and binding inputs.",
     add_us<&VersionStatistics::compute_input>},
    {"nv_inference_compute_infer_duration_us",
     "Time inside the model.",
     add_us<&VersionStatistics::compute_infer>},
    {"nv_inference_compute_output_duration_us",
     "Time of handling outputs.",
     add_us<&VersionStatistics::compute_output>},
};

}  // namespace

std::vector<Registry::Callback> show_triton_metrics(
    Registry& registry, const serve::Routes& routes
) {
  std::vector<Registry::Callback> callbacks;
  for (const Shown& metric : shown) {
    callbacks
        .push_back(registry.callback(metric.kind, metric.name, metric.help, [&routes, &metric] {
          std::vector<Sample> samples;
          const auto table = routes.load();
          for (const auto& [name, route] : *table) {
            for (const serve::Lane& lane : route->pinned) {
              const Labels labels{{"model", name}, {"version", lane.version->number_text()}};
              metric.add(*lane.version, labels, samples);
            }
          }
          return samples;
        }));
  }
  return callbacks;
}

}  // namespace weir::api
