#pragma once

#include <map>
#include <string>
#include <utility>

#include "app/demo_view.h"
#include "base/result.h"
#include "cli/client.h"

namespace weir::app {

// Labels of one version, and how many of them it got right.
struct LabelCount {
  std::uint64_t labelled = 0;
  std::uint64_t correct = 0;
  double rate() const {
    return labelled == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(labelled);
  }
};

// Asks the server how the arms do, remembers what was at the start of a stage, and draws. One
// thread at a time.
class DemoWatch {
 public:
  explicit DemoWatch(cli::Client& client) : client_(client) {}

  // Reads the status; `recent_rows` back is what "lately" means.
  Result<void> refresh();
  // From here on since_mark() counts.
  void mark();
  // Of an arm ("primary", "candidate", "shadow"), since the mark.
  LabelCount since_mark(const std::string& arm) const;
  std::uint64_t pairs() const { return pairs_; }
  const std::string& comparison() const { return comparison_; }
  const DemoState& state() const { return state_; }
  DemoState& state() { return state_; }

 private:
  using ArmKey = std::pair<std::string, std::string>;  // Arm and version.

  cli::Client& client_;
  DemoState state_;
  std::map<ArmKey, LabelCount> now_;
  std::map<ArmKey, LabelCount> at_mark_;
  std::vector<std::map<ArmKey, LabelCount>> history_;  // One a refresh, for "lately".
  std::uint64_t pairs_ = 0;
  std::string comparison_;
};

}  // namespace weir::app
