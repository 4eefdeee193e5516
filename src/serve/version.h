#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/session.h"
#include "serve/record_layout.h"
#include "serve/statistics.h"

namespace weir::serve {

// Limits of one version.
struct VersionLimits {
  std::uint32_t max_concurrency = 1024;  // Requests inside the version at once; beyond: exhausted.
};

// What is known of a version before it is loaded.
struct VersionIdentity {
  std::string endpoint;
  std::uint32_t number = 0;  // 1, 2, … per endpoint.
  std::string sha256;        // Of the artifact and its sidecar.
  std::string name;          // A person's name for it; may be empty.
};

// One loaded, immutable model of an endpoint. Shared by the routes that use it; when the last one
// goes, its memory goes back to the system. Thread-safe.
class Version {
 public:
  Version(
      VersionIdentity identity,
      std::unique_ptr<model::Session> session,
      const VersionLimits& limits,
      const std::vector<std::string>& endpoint_features,
      const std::vector<std::string>& metadata
  );

  const std::string& endpoint() const { return identity_.endpoint; }
  std::uint32_t number() const { return identity_.number; }
  const std::string& number_text() const { return number_text_; }
  const std::string& sha256() const { return identity_.sha256; }
  const std::string& name() const { return identity_.name; }
  const model::Signature& signature() const { return session_->signature(); }
  const RecordLayout& layout() const { return layout_; }
  std::size_t memory_bytes() const { return session_->memory_bytes(); }
  VersionStatistics& statistics() const { return statistics_; }

  // A place inside the version; false when max_concurrency requests are in it.
  bool enter() const {
    if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limits_.max_concurrency) return true;
    leave();
    return false;
  }
  void leave() const { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

  // Requires: enter() returned true.
  model::Progress infer(model::Inference& inference) const;

 private:
  VersionIdentity identity_;
  std::string number_text_;
  std::unique_ptr<model::Session> session_;
  VersionLimits limits_;
  RecordLayout layout_;
  mutable VersionStatistics statistics_;
  mutable std::atomic<std::uint32_t> in_flight_{0};
};

}  // namespace weir::serve
