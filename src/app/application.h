#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/api.h"
#include "base/result.h"
#include "control/controller.h"
#include "http/background.h"
#include "http/server.h"
#include "ledger/ledger.h"
#include "serve/admission.h"
#include "serve/recorder.h"
#include "serve/shadows.h"
#include "table/worker.h"

// The server: makes every part, connects them, and takes them down in order.

namespace weir::app {

struct ApplicationOptions {
  std::string data = "weir-data";
  bool keep_ledger = true;
  std::vector<std::pair<std::string, std::string>> models;  // NAME, PATH of --model.
  std::int64_t drain_us = 30 * us_per_second;               // For requests in flight at the end.
  std::string command_line;  // For whoever finds the data folder taken.

  http::ServerOptions http;
  http::BackgroundOptions background;
  protocol::DecodeOptions decode;
  serve::AdmissionOptions admission;
  serve::RecorderOptions recorder;
  serve::ShadowOptions shadows;
  ledger::Options ledger;
  table::WorkerOptions worker;
  control::ControllerOptions controller;
  api::ApiOptions api;
};

// One thread makes, runs and destroys it.
class Application {
 public:
  // Opens the data folder, recovers, loads the models and binds the port; nothing is answered yet.
  static Result<std::unique_ptr<Application>> create(ApplicationOptions options);
  ~Application();  // Drains, flushes, closes.
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  std::uint16_t port() const;
  // Lines to tell the person who started it.
  const std::vector<std::string>& notices() const;

  // Serves until stop() is called from a signal handler or another thread.
  Result<void> run();
  // Async-signal-safe.
  void stop();

 private:
  struct Parts;
  explicit Application(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::app
