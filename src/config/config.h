#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/work_queue.h"
#include "control/controller.h"
#include "control/feedback.h"
#include "events/sink.h"
#include "grpc/server.h"
#include "http/server.h"
#include "ledger/ledger.h"
#include "protocol/v2.h"
#include "serve/admission.h"
#include "serve/pool.h"
#include "serve/rate_limit.h"
#include "serve/recorder.h"
#include "serve/shadows.h"
#include "table/worker.h"

// The one YAML file: it fills the Options of the modules below. docs/configuration.md lists its
// keys.

namespace weir::config {

// Everything that can be set, with the defaults of each module.
struct Config {
  std::string data = "weir-data";
  bool keep_ledger = true;
  std::string token_file;
  bool protect_predictions = false;
  bool triton_metrics = false;  // Statistics once more, under Triton's names.
  std::vector<std::pair<std::string, std::string>> models;  // Endpoint, path of the first version.
  // For the server before this one to let go of the data folder, with --take-over.
  std::int64_t take_over_wait_us = 120 * us_per_second;
  std::int64_t drain_delay_us = 0;             // Not ready any more, and still accepting.
  std::int64_t drain_us = 30 * us_per_second;  // For requests in flight when the server stops.

  http::ServerOptions http;
  grpc::ServerOptions grpc;
  WorkQueueOptions background;
  protocol::DecodeOptions decode;
  serve::AdmissionOptions admission;
  serve::PoolOptions pool;
  serve::RateLimitOptions rate_limit;  // Off while per_second is 0.
  serve::RecorderOptions recorder;
  serve::ShadowOptions shadows;
  control::FeedbackOptions feedback;
  control::ControllerOptions controller;
  ledger::Options ledger;
  std::map<std::string, events::Options> events;  // By endpoint.
  table::WorkerOptions worker;
};

// Reads a file over the defaults in `config`. Unknown keys, wrong types and values out of range are
// errors that give the line.
Result<void> read_config_file(const std::string& path, Config& config);
Result<void> read_config(std::string_view yaml, std::string_view file, Config& config);

// "HOST:PORT", "[::1]:PORT" or ":PORT" (all addresses).
Result<void> apply_listen(std::string_view listen, http::ServerOptions& options);
// The same for gRPC, or "off".
Result<void> apply_grpc_listen(std::string_view listen, grpc::ServerOptions& options);

}  // namespace weir::config
