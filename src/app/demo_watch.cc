#include "app/demo_watch.h"

#include <boost/json.hpp>

#include "cli/print.h"

namespace weir::app {

namespace json = boost::json;

namespace {

constexpr std::size_t lately_refreshes = 20;

LabelCount operator-(const LabelCount& left, const LabelCount& right) {
  return {left.labelled - right.labelled, left.correct - right.correct};
}

}  // namespace

Result<void> DemoWatch::refresh() {
  const json::value value = TRY(client_.get(cli::endpoint_path("electricity")));
  const json::object& status = value.as_object();
  state_.arms.clear();
  now_.clear();
  if (history_.size() >= lately_refreshes) history_.erase(history_.begin());
  for (const json::value& element : cli::array_of(status, "arms")) {
    const json::object& arm = element.as_object();
    DemoArm shown;
    shown.arm = cli::text_of(arm, "arm");
    shown.version = cli::text_of(arm, "version");
    shown.share_percent = cli::number_of(arm, "share_percent");
    shown.requests = cli::count_of(arm, "requests");
    if (const json::object* accuracy = cli::object_of(arm, "accuracy")) {
      shown.labelled = cli::count_of(*accuracy, "labelled");
      shown.correct = cli::count_of(*accuracy, "correct");
    }
    const ArmKey key{shown.arm, shown.version};
    now_[key] = {shown.labelled, shown.correct};
    LabelCount before;
    for (const auto& counts : history_) {
      if (const auto found = counts.find(key); found != counts.end()) {
        before = found->second;
        break;
      }
    }
    const LabelCount lately = now_[key] - before;
    shown.recent_labelled = lately.labelled;
    shown.recent_correct = lately.correct;
    state_.arms.push_back(std::move(shown));
  }
  history_.push_back(now_);
  const std::string stage = cli::text_of(status, "stage");
  state_.stage = stage.empty() ? "no rollout" : "stage: " + stage;
  const std::string candidate = cli::text_of(status, "candidate_version");
  state_.comparison.clear();
  pairs_ = 0;
  for (const json::value& element : cli::array_of(status, "comparisons")) {
    const json::object& comparison = element.as_object();
    if (cli::text_of(comparison, "other_version") != candidate) continue;
    pairs_ = cli::count_of(comparison, "pairs");
    comparison_ = cli::text_of(comparison, "text");
    state_.comparison = fmt::format(
        "version {} beside {} on the same requests: {}",
        candidate,
        cli::text_of(comparison, "primary_version"),
        comparison_
    );
  }
  return {};
}

void DemoWatch::mark() {
  at_mark_ = now_;
}

LabelCount DemoWatch::since_mark(const std::string& arm) const {
  LabelCount sum;
  for (const auto& [key, count] : now_) {
    if (key.first != arm) continue;
    const auto before = at_mark_.find(key);
    const LabelCount since = before == at_mark_.end() ? count : count - before->second;
    sum.labelled += since.labelled;
    sum.correct += since.correct;
  }
  return sum;
}

}  // namespace weir::app
