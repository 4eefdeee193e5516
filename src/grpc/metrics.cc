#include "grpc/metrics.h"

namespace weir::grpc {

using metrics::Kind;
using metrics::Registry;
using metrics::Sample;

namespace {

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

std::vector<Registry::Callback> show_metrics(Registry& registry, const Server& server) {
  std::vector<Registry::Callback> callbacks;
  using Value = std::uint64_t (*)(const ServerCounts&);
  const auto add = [&](Kind kind, std::string_view name, std::string_view help, Value value) {
    callbacks.push_back(registry.callback(kind, name, help, [&server, value] {
      return std::vector<Sample>{{{}, number(value(server.counts()))}};
    }));
  };
  add(Kind::gauge, "weir_grpc_connections", "Open connections.", [](const ServerCounts& counts) {
    return counts.connections_open;
  });
  add(Kind::counter,
      "weir_grpc_requests_total",
      "Calls of any kind; a stream is one.",
      [](const ServerCounts& counts) { return counts.calls_total; });
  add(Kind::gauge,
      "weir_grpc_requests_in_flight",
      "Calls that are not over, streams among them.",
      [](const ServerCounts& counts) { return counts.calls_open; });
  add(Kind::counter,
      "weir_grpc_cancelled_total",
      "Calls that the client, or its deadline, ended before the answer.",
      [](const ServerCounts& counts) { return counts.calls_cancelled; });
  callbacks.push_back(registry.callback(
      Kind::counter,
      "weir_grpc_refused_total",
      "Connections, and calls and messages of streams with RESOURCE_EXHAUSTED or UNAVAILABLE, by "
      "reason.",
      [&server] {
        const ServerCounts counts = server.counts();
        return std::vector<Sample>{
            {{{"reason", "connections"}}, number(counts.connections_refused)},
            {{{"reason", "rate_limit"}}, number(counts.refused_rate_limit)},
            {{{"reason", "exhausted"}}, number(counts.refused_exhausted)},
            {{{"reason", "unavailable"}}, number(counts.refused_unavailable)},
        };
      }
  ));
  return callbacks;
}

}  // namespace weir::grpc
