#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

// The server: makes every part, connects them, and takes them down in order.

namespace weir::app {

struct ApplicationOptions {
  config::Config config;
  std::string token;         // That clients must send; empty = none.
  std::string command_line;  // For whoever finds the data folder taken.
  // How long to wait until the server before this one has let go of the data folder; 0 = not.
  std::int64_t lease_wait_us = 0;
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
  std::uint16_t grpc_port() const;  // 0: gRPC is off.
  // Lines to tell the person who started it.
  const std::vector<std::string>& notices() const;

  // Serves until stop() is called from a signal handler or another thread.
  Result<void> run();
  // Both are async-signal-safe. The second reads certificates again and opens logs again.
  void stop();
  void reload();

 private:
  struct Parts;
  explicit Application(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::app
