#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "rollout/plan.h"

// Where a rollout stands, and the moves it can make. A move takes the state and gives the next one
// with a record of the decision; it changes nothing by itself, so whoever stores both in one
// transaction can resume exactly there. Pure.

namespace weir::rollout {

enum class Status : std::uint8_t {
  running,
  paused,       // Stays at its stage and share; nothing moves it but resume and rollback.
  promoted,     // The candidate is the endpoint's primary version.
  rolled_back,  // The old version is.
  superseded,   // Another rollout of the endpoint took its place before it ended.
};
std::string_view to_string(Status status);

// Who or what decided, and why; both may be shown to people.
struct Reason {
  std::string by;    // "cli", "api", "gate error_rate", "guardrail not_finite".
  std::string text;  // Free; may be empty.
};

struct HistoryEntry {
  Moment at = 0;
  std::string action;     // "start", "promote", "pause", "resume", "rollback", "supersede".
  std::size_t stage = 0;  // After it.
  Status status = Status::running;  // After it.
  std::string by;
  std::string text;
  bool operator==(const HistoryEntry&) const = default;
};

struct RolloutState {
  std::string endpoint;
  std::uint64_t number = 0;     // Of the rollout, counted per endpoint from 1.
  std::string primary_version;  // The version it started from: decimal text.
  std::string candidate_version;
  std::uint64_t seed = 0;  // Of the split.
  Plan plan;
  std::size_t stage = 0;  // Index into plan.stages; the last one when promoted.
  Status status = Status::running;
  Moment started_at = 0;
  Moment entered_at = 0;              // The present stage, or the end.
  std::vector<HistoryEntry> history;  // The newest max_history moves.

  static constexpr std::size_t max_history = 100;

  // Running or paused.
  bool is_active() const { return status == Status::running || status == Status::paused; }
  const Stage& current_stage() const { return plan.stages[stage]; }
  // "shadow", "canary 5%", "bake", or "promoted", "rolled_back", "superseded" when it has ended.
  std::string stage_name() const;
  // The share of requests that the candidate answers: by stage while active, everything when
  // promoted, nothing otherwise.
  std::uint32_t candidate_share_ppm() const;
  // The candidate gets a copy of every request that it does not answer: in the shadow stage only.
  bool shadows_candidate() const;
  // The version to serve as primary.
  const std::string& serving_primary() const;
  // When the bake ends by itself; none outside a running bake.
  std::optional<Moment> bake_ends_at() const;

  bool operator==(const RolloutState&) const = default;
};

// A move: the next state, and what was decided as a JSON object for the log of decisions.
struct Step {
  RolloutState state;
  std::string record;
};

struct Start {
  std::string endpoint;
  std::uint64_t number = 1;
  std::string primary_version;
  std::string candidate_version;
  std::uint64_t seed = 0;
  Plan plan;
};
// Stage 0 of the plan. Refuses a candidate that is the primary version already.
Result<Step> start(const Start& start, Moment now, const Reason& reason);

enum class Reach : std::uint8_t { next_stage, end };

// One stage forward, from the last one to promoted; or to the end at once. Not while paused: a
// person who stopped it resumes it first.
Result<Step> promote(const RolloutState& state, Moment now, Reach reach, const Reason& reason);
Result<Step> pause(const RolloutState& state, Moment now, const Reason& reason);
Result<Step> resume(const RolloutState& state, Moment now, const Reason& reason);
// From every stage, also while paused, and also after the promotion as long as no other rollout
// followed: the caller then sees to it that the old version is loaded before it swaps.
Result<Step> rollback(const RolloutState& state, Moment now, const Reason& reason);
// Ends an active rollout because another one begins.
Result<Step> supersede(const RolloutState& state, Moment now, const Reason& reason);

// Everything, and back; the same state has the same text.
std::string to_json(const RolloutState& state);
Result<RolloutState> parse_state_json(std::string_view text);

}  // namespace weir::rollout
