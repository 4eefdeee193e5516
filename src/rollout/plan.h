#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rollout/document.h"

// How a candidate is launched: the stages it goes through and the rules it is judged by. Plain
// values; parsing validates, so a Plan that was parsed is sound. Pure.

namespace weir::rollout {

enum class StageKind : std::uint8_t {
  shadow,  // The candidate sees every request and answers none.
  canary,  // The candidate answers its share.
  bake,    // The candidate answers everything; the old version stays loaded and warm.
};
std::string_view to_string(StageKind kind);

struct Stage {
  StageKind kind = StageKind::shadow;
  std::uint32_t share_ppm = 0;   // 0 for shadow, whole_ppm for bake.
  std::uint64_t min_rows = 0;    // Evidence wanted before a gate may pass (shadow, canary).
  std::int64_t min_time_us = 0;  // Time wanted before that; for bake its whole length.

  // "shadow", "canary 5%", "bake": the column `stage` of a record.
  std::string name() const;
  bool operator==(const Stage&) const = default;
};

// A rule on evidence. Kept and validated here, evaluated by the gates.
struct Gate {
  std::string metric;
  std::string slice;                  // A predicate; empty = all rows.
  double margin = 0;                  // Tolerated loss: at most this passes.
  std::optional<double> fail_margin;  // Not tolerated: beyond it fails. Absent = margin.
  std::vector<std::string> stages;    // "shadow", "canary", "bake" or a share as "5"; empty = all.
  bool operator==(const Gate&) const = default;
};

// A hard limit checked on every answer.
struct Guardrail {
  std::string metric;          // "crash", "not_finite", "schema" need no limit.
  std::optional<double> max;   // The share or value that may not be exceeded…
  std::uint64_t min_rows = 0;  // …once there are as many rows.
  bool operator==(const Guardrail&) const = default;
};

enum class OnFail : std::uint8_t { rollback, pause };
std::string_view to_string(OnFail on_fail);

struct Plan {
  std::vector<Stage> stages;
  std::vector<Gate> gates;
  std::vector<Guardrail> guardrails;
  OnFail on_fail = OnFail::rollback;
  std::int64_t deadline_us = 0;  // Per stage, after which a hold counts as a fail; 0 = none.
  bool operator==(const Plan&) const = default;
};

struct PlanLimits {
  std::size_t max_stages = 100;
  std::size_t max_rules = 1000;       // Gates; guardrails likewise.
  std::size_t max_text_bytes = 1024;  // A metric or a slice.
};

inline constexpr std::int64_t default_bake_us = 600'000'000;

// "shadow,5,25,50,100": a shadow, shares in percent, growing. 100 is the full share with a bake of
// ten minutes, in which the answers' arm is still `candidate` and the old version stays warm; so
// "100" alone goes there at once. A bake of another length is written "bake:30m".
Result<Plan> parse_stages(std::string_view text);

// The value of `rollout:` in the configuration, or a plan in a file of its own. Unknown keys are
// errors that give the line.
Result<Plan> parse_plan_yaml(std::string_view text, std::string_view file);
// The same in JSON, as to_json writes it. Errors give the path.
Result<Plan> parse_plan_json(std::string_view text);
// The same from a document read before, such as a part of the configuration.
Result<Plan> parse_plan(const Node& node);

// Canonical: equal plans have equal texts, and parse_plan_json gives the plan back.
std::string to_json(const Plan& plan);

// "10m", "90s", "1500us": the longest unit that divides it. What parse_duration reads.
std::string duration_text(std::int64_t duration_us);
// "5", "12.5", "0.0001".
std::string percent_text(std::uint32_t share_ppm);
// "5", "12.5" or "5%" with at most four decimals, 0 to 100.
Result<std::uint32_t> parse_percent(std::string_view text);

}  // namespace weir::rollout
