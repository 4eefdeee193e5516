#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/child_process.h"
#include "base/result.h"
#include "model/host_message.h"
#include "model/session.h"

namespace weir::model {

// One process with one loaded model, and the sockets to its threads. The destructor ends it.
// Thread-safe but for start() and end().
class ModelProcess {
 public:
  // Starts a process and lets it load the artifact. An artifact that cannot be loaded gives the
  // error that it would give in this process; unavailable when the process died of it or when
  // `stop` came.
  static Result<std::unique_ptr<ModelProcess>> start(
      const std::string& path, const SessionOptions& options, std::size_t lanes, int stop
  );
  ~ModelProcess();
  ModelProcess(const ModelProcess&) = delete;
  ModelProcess& operator=(const ModelProcess&) = delete;

  int pid() const { return pid_; }
  // The socket that closes when the process ends.
  int socket() const { return process_.socket(); }
  int lane(std::size_t index) const { return lanes_[index]; }
  const Signature& signature() const { return signature_; }
  // Two processes with the same of these have the same signature.
  const std::string& signature_bytes() const { return signature_bytes_; }

  // Lets the process end, whatever it is doing. Requires: end() has not been called.
  void stop() const;
  // Waits for the end and says how it was: "signal 11".
  std::string end();

 private:
  explicit ModelProcess(ChildProcess process)
      : process_(std::move(process)), pid_(process_.pid()) {}
  Result<void> load(const std::string& path, const SessionOptions& options, int stop);
  Result<void> open_lanes(std::size_t count, const MessageLimits& limits);

  ChildProcess process_;
  int pid_;
  std::vector<int> lanes_;
  Signature signature_;
  std::string signature_bytes_;
};

}  // namespace weir::model
