// The state of a rollout as JSON.

#include <array>
#include <charconv>

#include <fmt/core.h>

#include "rollout/scalar.h"
#include "rollout/state.h"

namespace weir::rollout {
namespace {

Result<const Node*> member(const Node& map, std::string_view name) {
  if (!map.is_map()) return bad_value(map, "the state of a rollout", "a map");
  const Node* found = map.find(name);
  if (found == nullptr) {
    return fail(Code::corrupt, "{}: the state of a rollout lacks '{}'", map.where, name);
  }
  return found;
}

Result<std::string> text_member(const Node& map, std::string_view name) {
  const Node* node = TRY(member(map, name));
  return read_text(*node, name);
}

Result<std::uint64_t> count_member(const Node& map, std::string_view name) {
  const Node* node = TRY(member(map, name));
  return read_count(*node, name);
}

Result<Moment> moment_member(const Node& map, std::string_view name) {
  const Node* node = TRY(member(map, name));
  const auto moment = parse_rfc3339(node->text);
  if (!moment) return bad_value(*node, name, "a time");
  return moment;
}

Result<Status> status_member(const Node& map) {
  const Node* node = TRY(member(map, "status"));
  constexpr std::array all = {
      Status::running, Status::paused, Status::promoted, Status::rolled_back, Status::superseded};
  for (const Status status : all) {
    if (node->text == to_string(status)) return status;
  }
  return bad_value(*node, "status", "a state of a rollout");
}

// As text: JSON numbers are exact only up to 2^53 for most readers.
Result<std::uint64_t> seed_member(const Node& map) {
  const Node* node = TRY(member(map, "seed"));
  std::uint64_t seed = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [rest, error] = std::from_chars(node->text.data(), end, seed);
  if (node->text.empty() || error != std::errc() || rest != end) {
    return bad_value(*node, "seed", "a whole number as a string");
  }
  return seed;
}

Result<HistoryEntry> read_entry(const Node& node) {
  HistoryEntry entry;
  entry.at = TRY(moment_member(node, "at"));
  entry.action = TRY(text_member(node, "action"));
  entry.stage = TRY(count_member(node, "stage"));
  entry.status = TRY(status_member(node));
  entry.by = TRY(text_member(node, "by"));
  entry.text = TRY(text_member(node, "text"));
  return entry;
}

std::string entry_json(const HistoryEntry& entry) {
  return fmt::format(
      R"({{"at":"{}","action":{},"stage":{},"status":"{}","by":{},"text":{}}})",
      to_rfc3339(entry.at),
      json_quote(entry.action),
      entry.stage,
      to_string(entry.status),
      json_quote(entry.by),
      json_quote(entry.text)
  );
}

}  // namespace

std::string to_json(const RolloutState& state) {
  std::string history;
  for (const HistoryEntry& entry : state.history) {
    if (!history.empty()) history += ',';
    history += entry_json(entry);
  }
  return fmt::format(
      R"({{"endpoint":{},"number":{},"primary_version":{},"candidate_version":{},"seed":"{}",)"
      R"("plan":{},"stage":{},"status":"{}","started_at":"{}","entered_at":"{}","history":[{}]}})",
      json_quote(state.endpoint),
      state.number,
      json_quote(state.primary_version),
      json_quote(state.candidate_version),
      state.seed,
      to_json(state.plan),
      state.stage,
      to_string(state.status),
      to_rfc3339(state.started_at),
      to_rfc3339(state.entered_at),
      history
  );
}

Result<RolloutState> parse_state_json(std::string_view text) {
  const Node node = TRY(read_json(text));
  RolloutState state;
  state.endpoint = TRY(text_member(node, "endpoint"));
  state.number = TRY(count_member(node, "number"));
  state.primary_version = TRY(text_member(node, "primary_version"));
  state.candidate_version = TRY(text_member(node, "candidate_version"));
  state.seed = TRY(seed_member(node));
  const Node* plan = TRY(member(node, "plan"));
  state.plan = TRY(parse_plan(*plan));
  state.stage = TRY(count_member(node, "stage"));
  state.status = TRY(status_member(node));
  state.started_at = TRY(moment_member(node, "started_at"));
  state.entered_at = TRY(moment_member(node, "entered_at"));
  const Node* history = TRY(member(node, "history"));
  if (!history->is_list()) return bad_value(*history, "history", "a list");
  for (const Node& item : history->items) state.history.push_back(TRY(read_entry(item)));
  if (state.stage >= state.plan.stages.size()) {
    return fail(
        Code::corrupt,
        "the state of rollout {} of '{}' is at stage {} of {}",
        state.number,
        state.endpoint,
        state.stage,
        state.plan.stages.size()
    );
  }
  return state;
}

}  // namespace weir::rollout
