// Plans as YAML and JSON.

#include <fmt/core.h>

#include "rollout/plan.h"
#include "rollout/plan_check.h"
#include "rollout/scalar.h"
#include "rollout/split.h"

namespace weir::rollout {
namespace {

// The values of {min_rows, min_time}, and of a canary's share.
Result<void> read_wants(const Node& node, Stage& stage) {
  if (node.is_null()) return {};
  const std::string_view kind = to_string(stage.kind);
  if (!node.is_map()) return bad_value(node, kind, "a map with min_rows and min_time");
  if (stage.kind == StageKind::canary) {
    TRY(refuse_unknown_keys(node, kind, {"share", "min_rows", "min_time"}));
    const Node* share = node.find("share");
    if (share == nullptr) return bad_value(node, kind, "a share in percent or a map with one");
    stage.share_ppm = TRY(read_percent(*share, "share"));
  } else {
    TRY(refuse_unknown_keys(node, kind, {"min_rows", "min_time"}));
  }
  if (const Node* rows = node.find("min_rows")) {
    stage.min_rows = TRY(read_count(*rows, "min_rows"));
  }
  if (const Node* time = node.find("min_time")) {
    stage.min_time_us = TRY(read_duration(*time, "min_time"));
  }
  return {};
}

Result<Stage> read_stage(const Node& node) {
  constexpr std::string_view wanted = "shadow, {canary: 5} or {bake: 10m}";
  if (node.is_scalar() && node.text == "shadow") return Stage{};
  if (node.is_scalar() && node.text == "bake") {
    return Stage{StageKind::bake, whole_ppm, 0, default_bake_us};
  }
  if (!node.is_map() || node.items.size() != 1) return bad_value(node, "a stage", wanted);
  const Node& value = node.items.front();
  TRY(refuse_unknown_keys(node, "a stage", {"shadow", "canary", "bake"}));
  Stage stage;
  if (value.key == "shadow") {
    TRY(read_wants(value, stage));
  } else if (value.key == "canary") {
    stage.kind = StageKind::canary;
    if (value.is_scalar()) {
      stage.share_ppm = TRY(read_percent(value, "canary"));
    } else if (value.is_null()) {
      return bad_value(value, "canary", "a share in percent");
    } else {
      TRY(read_wants(value, stage));
    }
  } else {
    stage.kind = StageKind::bake;
    stage.share_ppm = whole_ppm;
    stage.min_time_us = value.is_null() ? default_bake_us : TRY(read_duration(value, "bake"));
  }
  return stage;
}

Result<std::vector<Stage>> read_stages(const Node& node) {
  if (node.is_scalar()) {
    auto plan = parse_stages(node.text);
    if (!plan) return fail(Code::invalid_argument, "{}: {}", node.where, plan.error().message);
    return std::move(plan->stages);
  }
  if (!node.is_list()) return bad_value(node, "stages", "a list of stages");
  std::vector<Stage> stages;
  for (const Node& item : node.items) stages.push_back(TRY(read_stage(item)));
  return stages;
}

Result<Gate> read_gate(const Node& node) {
  if (!node.is_map()) return bad_value(node, "a gate", "a map with a metric and a margin");
  TRY(refuse_unknown_keys(node, "a gate", {"metric", "slice", "margin", "fail_margin", "stages"}));
  const Node* metric = node.find("metric");
  const Node* margin = node.find("margin");
  if (metric == nullptr || margin == nullptr) {
    return bad_value(node, "a gate", "a map with a metric and a margin");
  }
  Gate gate;
  gate.metric = TRY(read_text(*metric, "metric"));
  gate.margin = TRY(read_number(*margin, "margin"));
  if (const Node* slice = node.find("slice")) gate.slice = TRY(read_text(*slice, "slice"));
  if (const Node* fail_margin = node.find("fail_margin")) {
    gate.fail_margin = TRY(read_number(*fail_margin, "fail_margin"));
  }
  if (const Node* stages = node.find("stages")) {
    if (!stages->is_list()) return bad_value(*stages, "stages", "a list of stages");
    for (const Node& stage : stages->items) gate.stages.push_back(TRY(read_text(stage, "a stage")));
  }
  return gate;
}

Result<Guardrail> read_guardrail(const Node& node) {
  Guardrail guardrail;
  if (node.is_scalar()) {
    guardrail.metric = node.text;
    return guardrail;
  }
  if (!node.is_map()) return bad_value(node, "a guardrail", "a name or a map with metric and max");
  TRY(refuse_unknown_keys(node, "a guardrail", {"metric", "max", "min_rows"}));
  const Node* metric = node.find("metric");
  if (metric == nullptr)
    return bad_value(node, "a guardrail", "a name or a map with metric and max");
  guardrail.metric = TRY(read_text(*metric, "metric"));
  if (const Node* max = node.find("max")) guardrail.max = TRY(read_number(*max, "max"));
  if (const Node* rows = node.find("min_rows")) {
    guardrail.min_rows = TRY(read_count(*rows, "min_rows"));
  }
  return guardrail;
}

std::string stage_json(const Stage& stage) {
  if (stage.kind == StageKind::bake) {
    return fmt::format(R"({{"bake":"{}"}})", duration_text(stage.min_time_us));
  }
  std::string wants;
  const auto want = [&](std::string_view text) {
    if (!wants.empty()) wants += ',';
    wants += text;
  };
  const bool is_plain = stage.min_rows == 0 && stage.min_time_us == 0;
  if (stage.kind == StageKind::canary) {
    const std::string share = percent_text(stage.share_ppm);
    if (is_plain) return fmt::format(R"({{"canary":{}}})", share);
    want(fmt::format(R"("share":{})", share));
  }
  if (stage.min_rows > 0) want(fmt::format(R"("min_rows":{})", stage.min_rows));
  if (stage.min_time_us > 0) {
    want(fmt::format(R"("min_time":"{}")", duration_text(stage.min_time_us)));
  }
  return fmt::format(R"({{"{}":{{{}}}}})", to_string(stage.kind), wants);
}

std::string gate_json(const Gate& gate) {
  std::string text = fmt::format(R"({{"metric":{})", json_quote(gate.metric));
  if (!gate.slice.empty()) text += fmt::format(R"(,"slice":{})", json_quote(gate.slice));
  text += fmt::format(R"(,"margin":{})", gate.margin);
  if (gate.fail_margin) text += fmt::format(R"(,"fail_margin":{})", *gate.fail_margin);
  if (!gate.stages.empty()) {
    text += R"(,"stages":[)";
    for (const std::string& stage : gate.stages) {
      if (text.back() != '[') text += ',';
      text += json_quote(stage);
    }
    text += ']';
  }
  return text + '}';
}

std::string guardrail_json(const Guardrail& guardrail) {
  if (!guardrail.max && guardrail.min_rows == 0) return json_quote(guardrail.metric);
  std::string text = fmt::format(R"({{"metric":{})", json_quote(guardrail.metric));
  if (guardrail.max) text += fmt::format(R"(,"max":{})", *guardrail.max);
  if (guardrail.min_rows > 0) text += fmt::format(R"(,"min_rows":{})", guardrail.min_rows);
  return text + '}';
}

template <class Item, class Write>
std::string list_json(const std::vector<Item>& items, Write write) {
  std::string text = "[";
  for (const Item& item : items) {
    if (text.size() > 1) text += ',';
    text += write(item);
  }
  return text + ']';
}

}  // namespace

Result<Plan> parse_plan(const Node& node) {
  constexpr std::string_view wanted =
      "stages as shadow,5,25,50,100 or a map with stages, gates, guardrails, on_fail, deadline";
  if (node.is_scalar()) {
    Plan plan;
    plan.stages = TRY(read_stages(node));
    return plan;
  }
  if (!node.is_map()) return bad_value(node, "a plan", wanted);
  TRY(refuse_unknown_keys(node, "a plan", {"stages", "gates", "guardrails", "on_fail", "deadline"})
  );
  Plan plan;
  const Node* stages = node.find("stages");
  if (stages == nullptr) return bad_value(node, "a plan", wanted);
  plan.stages = TRY(read_stages(*stages));
  if (const Node* gates = node.find("gates")) {
    if (!gates->is_list()) return bad_value(*gates, "gates", "a list");
    for (const Node& item : gates->items) plan.gates.push_back(TRY(read_gate(item)));
  }
  if (const Node* guardrails = node.find("guardrails")) {
    if (!guardrails->is_list()) return bad_value(*guardrails, "guardrails", "a list");
    for (const Node& item : guardrails->items) {
      plan.guardrails.push_back(TRY(read_guardrail(item)));
    }
  }
  if (const Node* on_fail = node.find("on_fail")) {
    const bool is_pause = on_fail->text == to_string(OnFail::pause);
    if (!on_fail->is_scalar() || (!is_pause && on_fail->text != to_string(OnFail::rollback))) {
      return bad_value(*on_fail, "on_fail", "rollback or pause");
    }
    plan.on_fail = is_pause ? OnFail::pause : OnFail::rollback;
  }
  if (const Node* deadline = node.find("deadline")) {
    plan.deadline_us = TRY(read_duration(*deadline, "deadline"));
  }
  TRY(check_plan(plan, stages->where));
  return plan;
}

Result<Plan> parse_plan_yaml(std::string_view text, std::string_view file) {
  const Node node = TRY(read_yaml(text, file));
  return parse_plan(node);
}

Result<Plan> parse_plan_json(std::string_view text) {
  const Node node = TRY(read_json(text));
  return parse_plan(node);
}

std::string to_json(const Plan& plan) {
  std::string text = fmt::format(R"({{"stages":{})", list_json(plan.stages, stage_json));
  if (!plan.gates.empty()) text += fmt::format(R"(,"gates":{})", list_json(plan.gates, gate_json));
  if (!plan.guardrails.empty()) {
    text += fmt::format(R"(,"guardrails":{})", list_json(plan.guardrails, guardrail_json));
  }
  text += fmt::format(R"(,"on_fail":"{}")", to_string(plan.on_fail));
  if (plan.deadline_us > 0) {
    text += fmt::format(R"(,"deadline":"{}")", duration_text(plan.deadline_us));
  }
  return text + '}';
}

}  // namespace weir::rollout
