#include "rollout/plan.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "base/check.h"
#include "base/clock.h"
#include "rollout/plan_check.h"
#include "rollout/split.h"

namespace weir::rollout {

std::string_view to_string(StageKind kind) {
  switch (kind) {
    case StageKind::shadow:
      return "shadow";
    case StageKind::canary:
      return "canary";
    case StageKind::bake:
      return "bake";
  }
  CHECK(false, "a stage is of one of three kinds");
}

std::string_view to_string(OnFail on_fail) {
  return on_fail == OnFail::rollback ? "rollback" : "pause";
}

std::string Stage::name() const {
  if (kind != StageKind::canary) return std::string(to_string(kind));
  return fmt::format("canary {}%", percent_text(share_ppm));
}

Result<Plan> parse_stages(std::string_view text) {
  Plan plan;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    more = comma != std::string_view::npos;
    std::string_view word = rest.substr(0, comma);
    if (more) rest.remove_prefix(comma + 1);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (word == "shadow") {
      plan.stages.push_back({});
    } else if (word == "bake" || word.substr(0, 5) == "bake:") {
      const std::int64_t time =
          word == "bake" ? default_bake_us : TRY(parse_duration(word.substr(5)));
      plan.stages.push_back(
          {.kind = StageKind::bake, .share_ppm = whole_ppm, .min_rows = 0, .min_time_us = time}
      );
    } else {
      const auto share = parse_percent(word);
      if (!share) {
        return fail(
            Code::invalid_argument,
            "'{}' is no stage in '{}'; write shadow, shares in percent and bake:10m, as "
            "shadow,5,25,50,100",
            word,
            text
        );
      }
      const bool is_whole = *share == whole_ppm;
      plan.stages.push_back(
          {.kind = is_whole ? StageKind::bake : StageKind::canary,
           .share_ppm = *share,
           .min_rows = 0,
           .min_time_us = is_whole ? default_bake_us : 0}
      );
    }
    if (plan.stages.size() > PlanLimits{}.max_stages) {
      return fail(Code::invalid_argument, "more than {} stages in a plan", PlanLimits{}.max_stages);
    }
  }
  // "100,bake:30m" means one stage: the full share with a bake of that length.
  const std::size_t count = plan.stages.size();
  if (count >= 2 && plan.stages[count - 1].kind == StageKind::bake &&
      plan.stages[count - 2] == Stage{StageKind::bake, whole_ppm, 0, default_bake_us}) {
    plan.stages.erase(plan.stages.end() - 2);
  }
  TRY(check_plan(plan, fmt::format("'{}'", text)));
  return plan;
}

namespace {

Result<void> check_stages(const Plan& plan, std::string_view where) {
  if (plan.stages.empty()) {
    return fail(Code::invalid_argument, "{}: a plan needs at least one stage", where);
  }
  std::uint32_t reached = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const Stage& stage = plan.stages[i];
    if (stage.kind == StageKind::shadow && i > 0) {
      return fail(Code::invalid_argument, "{}: a shadow stage can only be the first", where);
    }
    if (stage.kind == StageKind::bake && i + 1 < plan.stages.size()) {
      return fail(Code::invalid_argument, "{}: a bake (or 100) can only be the last stage", where);
    }
    if (stage.kind == StageKind::bake && stage.min_time_us <= 0) {
      return fail(Code::invalid_argument, "{}: a bake needs a length, as 10m", where);
    }
    if (stage.kind == StageKind::canary && stage.share_ppm <= reached) {
      return fail(
          Code::invalid_argument,
          "{}: the shares of a plan must grow, {}% follows {}%; to go back, use weir rollback",
          where,
          percent_text(stage.share_ppm),
          percent_text(reached)
      );
    }
    if (plan.deadline_us > 0 && stage.kind != StageKind::bake &&
        plan.deadline_us < stage.min_time_us) {
      return fail(
          Code::invalid_argument,
          "{}: the stage {} takes at least {}, longer than the deadline of {}",
          where,
          stage.name(),
          duration_text(stage.min_time_us),
          duration_text(plan.deadline_us)
      );
    }
    reached = stage.share_ppm;
  }
  return {};
}

// A name of a metric as the program writes them, which also keeps odd texts out of messages.
bool is_metric(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

Result<void> check_metric(std::string_view metric, std::string_view where) {
  if (is_metric(metric) && metric.size() <= PlanLimits{}.max_text_bytes) return {};
  return fail(
      Code::invalid_argument,
      "{}: '{}' is no name of a metric; write small letters, digits and underscores",
      where,
      metric.substr(0, 64)
  );
}

// "canary", or a share as "5".
bool names_stage(std::string_view name, const Stage& stage) {
  if (name == to_string(stage.kind)) return true;
  const auto share = parse_percent(name);
  return share && stage.kind != StageKind::shadow && *share == stage.share_ppm;
}

Result<void> check_gate(const Gate& gate, const Plan& plan, std::string_view where) {
  TRY(check_metric(gate.metric, where));
  if (gate.slice.size() > PlanLimits{}.max_text_bytes) {
    return fail(
        Code::invalid_argument,
        "{}: the slice of gate '{}' has more than {} bytes",
        where,
        gate.metric,
        PlanLimits{}.max_text_bytes
    );
  }
  const double fail_margin = gate.fail_margin.value_or(gate.margin);
  if (!std::isfinite(gate.margin) || gate.margin < 0 || !std::isfinite(fail_margin) ||
      fail_margin < gate.margin) {
    return fail(
        Code::invalid_argument,
        "{}: gate '{}' needs 0 <= margin <= fail_margin, it has {} and {}",
        where,
        gate.metric,
        gate.margin,
        fail_margin
    );
  }
  for (const std::string& name : gate.stages) {
    const bool is_known = std::any_of(plan.stages.begin(), plan.stages.end(), [&](const Stage& s) {
      return names_stage(name, s);
    });
    if (is_known) continue;
    return fail(
        Code::invalid_argument,
        "{}: gate '{}' names the stage '{}', which the plan does not have; write shadow, canary, "
        "bake or one of its shares",
        where,
        gate.metric,
        name
    );
  }
  return {};
}

Result<void> check_guardrail(const Guardrail& guardrail, std::string_view where) {
  TRY(check_metric(guardrail.metric, where));
  const bool stands_alone = needs_no_limit(guardrail.metric);
  if (stands_alone && guardrail.max) {
    return fail(Code::invalid_argument, "{}: guardrail '{}' has no max", where, guardrail.metric);
  }
  if (!stands_alone && (!guardrail.max || !std::isfinite(*guardrail.max))) {
    return fail(
        Code::invalid_argument,
        "{}: guardrail '{}' needs a number as its max; without one there are crash, not_finite and "
        "schema",
        where,
        guardrail.metric
    );
  }
  return {};
}

}  // namespace

bool needs_no_limit(std::string_view guardrail) {
  return guardrail == "crash" || guardrail == "not_finite" || guardrail == "schema";
}

Result<void> check_plan(const Plan& plan, std::string_view where) {
  const PlanLimits limits;
  if (plan.stages.size() > limits.max_stages || plan.gates.size() > limits.max_rules ||
      plan.guardrails.size() > limits.max_rules) {
    return fail(
        Code::invalid_argument,
        "{}: a plan has at most {} stages, {} gates and {} guardrails",
        where,
        limits.max_stages,
        limits.max_rules,
        limits.max_rules
    );
  }
  TRY(check_stages(plan, where));
  for (const Gate& gate : plan.gates) TRY(check_gate(gate, plan, where));
  for (const Guardrail& guardrail : plan.guardrails) TRY(check_guardrail(guardrail, where));
  return {};
}

}  // namespace weir::rollout
