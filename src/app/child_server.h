#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace weir::app {

// A `weir serve` of our own as a child process, on a free port of 127.0.0.1. One thread at a time.
class ChildServer {
 public:
  // Starts it and waits until it says that it serves. Its log goes to `log_path`.
  static Result<ChildServer> start(
      const std::string& data, const std::string& model, const std::string& log_path
  );
  ChildServer(ChildServer&& other) noexcept;
  ChildServer& operator=(ChildServer&& other) noexcept;
  ~ChildServer();  // Stops it, unless release() was called.

  const std::string& url() const { return url_; }
  int pid() const { return pid_; }
  // Lets it run on when this is destroyed.
  void release() { is_released_ = true; }

 private:
  ChildServer(int pid, std::string url) : pid_(pid), url_(std::move(url)) {}

  int pid_ = -1;
  std::string url_;
  bool is_released_ = false;
};

}  // namespace weir::app
