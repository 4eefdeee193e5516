#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace weir::app {

// What the view shows of one arm.
struct DemoArm {
  std::string arm;
  std::string version;
  double share_percent = 0;
  std::uint64_t requests = 0;
  std::uint64_t labelled = 0;  // Since the start…
  std::uint64_t correct = 0;
  std::uint64_t recent_labelled = 0;  // …and of the last rows.
  std::uint64_t recent_correct = 0;
};

struct DemoState {
  Moment time = 0;  // Of the data.
  std::size_t row = 0;
  std::size_t rows = 0;
  double rows_per_second = 0;
  std::string stage;
  std::vector<DemoArm> arms;
  std::string comparison;  // Of the newest pair of versions; empty = none yet.
};

// Events as lines that stay, and below them a table that is drawn again in place. Without a
// terminal only the events are printed. One thread at a time.
class DemoView {
 public:
  explicit DemoView(bool is_live) : is_live_(is_live) {}

  // `time` of the data; none before it starts.
  void event(std::optional<Moment> time, const std::string& text);
  void show(const DemoState& state);
  // Leaves the last table on the screen.
  void finish() { lines_ = 0; }

 private:
  void clear();

  bool is_live_;
  std::size_t lines_ = 0;  // Of the table that is on the screen.
};

// The table, at most 100 columns wide.
std::string demo_table(const DemoState& state);

}  // namespace weir::app
