#include "ledger/record.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/core.h>

#include "base/check.h"
#include "base/hash.h"
#include "ledger/moment_range.h"

namespace weir::ledger {
namespace {

using tensor::DataType;

const std::array<tensor::ColumnSpec, head_width>& head() {
  static const std::array<tensor::ColumnSpec, head_width> specs = {{
      {"id", DataType::bytes},        {"row", DataType::uint32},
      {"time", DataType::int64},      {"recorded_at", DataType::int64},
      {"version", DataType::uint32},  {"arm", DataType::bytes},
      {"stage", DataType::bytes},     {"rollout", DataType::bytes},
      {"reason", DataType::bytes},    {"propensity", DataType::fp64},
      {"key_hash", DataType::uint64}, {"module", DataType::bytes},
      {"status", DataType::bytes},    {"error", DataType::bytes},
      {"decision", DataType::bytes},  {"score", DataType::fp64},
      {"predicted", DataType::bytes}, {"latency_us", DataType::fp64},
      {"queue_us", DataType::fp64},   {"run_us", DataType::fp64},
  }};
  return specs;
}

std::string lower(std::string_view name) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// Gives every name once.
class Names {
 public:
  Names() : taken_{"label", "day"} {
    for (const tensor::ColumnSpec& spec : head()) taken_.insert(spec.name);
  }

  std::string choose(std::string_view name, std::string_view prefix) {
    const bool is_ours = name.empty() || lower(name).starts_with("weir_");
    if (!is_ours && taken_.insert(lower(name)).second) return std::string(name);
    const std::string with_prefix = fmt::format("{}_{}", prefix, name);
    std::string candidate = with_prefix;
    for (int number = 2; !taken_.insert(lower(candidate)).second; ++number) {
      candidate = fmt::format("{}_{}", with_prefix, number);
    }
    return candidate;
  }

 private:
  std::set<std::string> taken_;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::span<const tensor::ColumnSpec> head_specs() {
  return head();
}

std::shared_ptr<const tensor::ColumnSpecs> record_specs(
    std::span<const tensor::ColumnSpec> features,
    std::span<const tensor::ColumnSpec> outputs,
    std::span<const tensor::ColumnSpec> metadata
) {
  auto specs = std::make_shared<tensor::ColumnSpecs>(head().begin(), head().end());
  Names names;
  const auto add_all = [&](std::span<const tensor::ColumnSpec> added, std::string_view prefix) {
    for (tensor::ColumnSpec spec : added) {
      spec.name = names.choose(spec.name, prefix);
      specs->push_back(std::move(spec));
    }
  };
  add_all(metadata, "metadata");
  add_all(features, "feature");
  add_all(outputs, "output");
  return specs;
}

void append_head(tensor::Columns& columns, const RecordHead& record) {
  append_common_head(columns, record, 1);
  append_row_head(columns, record);
}

void append_common_head(tensor::Columns& columns, const RecordHead& record, std::size_t count) {
  DCHECK(columns.width() >= head_width, "the columns of a record begin with the fixed ones");
  columns[0].add_text(record.id, count);
  columns[2].add(within_years(record.time), count);
  columns[3].add(within_years(record.recorded_at), count);
  columns[4].add(record.version, count);
  columns[5].add_text(record.arm, count);
  columns[6].add_text(record.stage, count);
  columns[7].add_text(record.rollout, count);
  columns[8].add_text(record.reason, count);
  columns[9].add(record.propensity, count);
  record.key_hash ? columns[10].add(*record.key_hash, count) : columns[10].add_null(count);
  columns[11].add_text(record.module, count);
  columns[12].add_text(record.is_error ? "error" : "ok", count);
  record.is_error ? columns[13].add_text(record.error, count) : columns[13].add_null(count);
  columns[14].add_text(record.decision, count);
  columns[17].add(record.latency_us, count);
  columns[18].add(record.queue_us, count);
  columns[19].add(record.run_us, count);
}

void append_row_head(tensor::Columns& columns, const RecordHead& record) {
  columns[1].add(record.row);
  record.score ? columns[15].add(*record.score) : columns[15].add_null();
  record.predicted ? columns[16].add_text(*record.predicted) : columns[16].add_null();
}

std::uint64_t hash_key(std::string_view routing_key) {
  return hash64(routing_key);
}

std::string_view canonical_label(std::string_view label) {
  const std::size_t dot = label.find('.');
  if (dot == std::string_view::npos || dot + 1 == label.size()) return label;
  const std::string_view fraction = label.substr(dot + 1);
  std::string_view whole = label.substr(0, dot);
  if (whole.starts_with('-')) whole.remove_prefix(1);
  const bool is_whole =
      !whole.empty() && (whole.size() == 1 || whole.front() != '0') &&
      std::all_of(whole.begin(), whole.end(), is_digit) &&
      std::all_of(fraction.begin(), fraction.end(), [](char c) { return c == '0'; });
  if (!is_whole) return label;
  return whole == "0" ? whole : label.substr(0, dot);  // "-0.0" is "0".
}

std::string to_label(double value) {
  return std::string(canonical_label(fmt::format("{}", value)));
}

std::string to_label(std::int64_t value) {
  return fmt::format("{}", value);
}

}  // namespace weir::ledger
