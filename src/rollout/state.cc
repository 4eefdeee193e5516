#include "rollout/state.h"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "base/check.h"
#include "rollout/document.h"
#include "rollout/split.h"

namespace weir::rollout {
namespace {

std::string describe(const RolloutState& state) {
  return fmt::format("rollout {} of '{}'", state.number, state.endpoint);
}

// What a stage or an end looks like in a record.
std::string position_json(const RolloutState& state) {
  return fmt::format(
      R"({{"stage":{},"name":{},"status":"{}","candidate_share_ppm":{}}})",
      state.stage,
      json_quote(state.stage_name()),
      to_string(state.status),
      state.candidate_share_ppm()
  );
}

// The last step of every move: notes it in the history and writes the record.
Step decided(
    RolloutState next,
    std::string_view before_json,
    std::string_view action,
    Moment now,
    const Reason& reason
) {
  if (next.history.size() >= RolloutState::max_history) next.history.erase(next.history.begin());
  next.history.push_back({now, std::string(action), next.stage, next.status, reason.by, reason.text}
  );
  std::string record = fmt::format(
      R"({{"at":"{}","endpoint":{},"rollout":{},"action":"{}","primary_version":{},)"
      R"("candidate_version":{},"from":{},"to":{},"by":{},"text":{}}})",
      to_rfc3339(now),
      json_quote(next.endpoint),
      next.number,
      action,
      json_quote(next.primary_version),
      json_quote(next.candidate_version),
      before_json,
      position_json(next),
      json_quote(reason.by),
      json_quote(reason.text)
  );
  return {std::move(next), std::move(record)};
}

Step end_as(
    const RolloutState& state,
    Status status,
    std::string_view action,
    Moment now,
    const Reason& reason
) {
  RolloutState next = state;
  next.status = status;
  next.entered_at = now;
  if (status == Status::promoted) next.stage = next.plan.stages.size() - 1;
  return decided(std::move(next), position_json(state), action, now, reason);
}

tl::unexpected<Error> has_ended(const RolloutState& state, std::string_view move) {
  return fail(
      Code::conflict,
      "cannot {} {}: it is {} since {}; weir deploy starts another one",
      move,
      describe(state),
      state.status == Status::rolled_back ? "rolled back" : to_string(state.status),
      to_rfc3339(state.entered_at)
  );
}

}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::running:
      return "running";
    case Status::paused:
      return "paused";
    case Status::promoted:
      return "promoted";
    case Status::rolled_back:
      return "rolled_back";
    case Status::superseded:
      return "superseded";
  }
  CHECK(false, "a rollout has one of five states");
}

std::string RolloutState::stage_name() const {
  return is_active() ? current_stage().name() : std::string(to_string(status));
}

std::uint32_t RolloutState::candidate_share_ppm() const {
  if (status == Status::promoted) return whole_ppm;
  return is_active() ? current_stage().share_ppm : 0;
}

bool RolloutState::shadows_candidate() const {
  return is_active() && current_stage().kind == StageKind::shadow;
}

const std::string& RolloutState::serving_primary() const {
  return status == Status::promoted ? candidate_version : primary_version;
}

std::optional<Moment> RolloutState::bake_ends_at() const {
  if (status != Status::running || current_stage().kind != StageKind::bake) return std::nullopt;
  Moment end = 0;
  if (__builtin_add_overflow(entered_at, current_stage().min_time_us, &end)) {
    end = std::numeric_limits<Moment>::max();
  }
  return end;
}

Result<Step> start(const Start& start, Moment now, const Reason& reason) {
  CHECK(!start.plan.stages.empty(), "a parsed plan has a stage");
  if (start.candidate_version == start.primary_version) {
    return fail(
        Code::conflict,
        "version {} is the primary version of '{}' already; there is nothing to roll out",
        start.candidate_version,
        start.endpoint
    );
  }
  RolloutState state;
  state.endpoint = start.endpoint;
  state.number = start.number;
  state.primary_version = start.primary_version;
  state.candidate_version = start.candidate_version;
  state.seed = start.seed;
  state.plan = start.plan;
  state.started_at = now;
  state.entered_at = now;
  return decided(std::move(state), "null", "start", now, reason);
}

Result<Step> promote(const RolloutState& state, Moment now, Reach reach, const Reason& reason) {
  if (!state.is_active()) return has_ended(state, "promote");
  if (state.status == Status::paused) {
    return fail(
        Code::conflict,
        "cannot promote {}: it is paused since {}; weir resume {} first, or weir rollback {}",
        describe(state),
        to_rfc3339(state.history.empty() ? state.entered_at : state.history.back().at),
        state.endpoint,
        state.endpoint
    );
  }
  if (reach == Reach::end || state.stage + 1 == state.plan.stages.size()) {
    return end_as(state, Status::promoted, "promote", now, reason);
  }
  RolloutState next = state;
  ++next.stage;
  next.entered_at = now;
  return decided(std::move(next), position_json(state), "promote", now, reason);
}

Result<Step> pause(const RolloutState& state, Moment now, const Reason& reason) {
  if (!state.is_active()) return has_ended(state, "pause");
  if (state.status == Status::paused) {
    return fail(Code::conflict, "{} is paused already", describe(state));
  }
  RolloutState next = state;
  next.status = Status::paused;
  return decided(std::move(next), position_json(state), "pause", now, reason);
}

Result<Step> resume(const RolloutState& state, Moment now, const Reason& reason) {
  if (!state.is_active()) return has_ended(state, "resume");
  if (state.status == Status::running) {
    return fail(Code::conflict, "{} is running; there is nothing to resume", describe(state));
  }
  RolloutState next = state;
  next.status = Status::running;
  return decided(std::move(next), position_json(state), "resume", now, reason);
}

Result<Step> rollback(const RolloutState& state, Moment now, const Reason& reason) {
  if (!state.is_active() && state.status != Status::promoted) return has_ended(state, "roll back");
  return end_as(state, Status::rolled_back, "rollback", now, reason);
}

Result<Step> supersede(const RolloutState& state, Moment now, const Reason& reason) {
  if (!state.is_active()) return has_ended(state, "supersede");
  return end_as(state, Status::superseded, "supersede", now, reason);
}

}  // namespace weir::rollout
