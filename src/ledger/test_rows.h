#pragma once

#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "ledger/reader.h"
#include "ledger/record.h"
#include "ledger/snapshot.h"

// For tests: small batches, and what is read back.

namespace weir::ledger {

inline std::shared_ptr<const tensor::ColumnSpecs> small_specs() {
  static const std::vector<tensor::ColumnSpec> features = {
      {"price", tensor::DataType::fp32}, {"name", tensor::DataType::bytes}};
  static const std::vector<tensor::ColumnSpec> outputs = {{"p", tensor::DataType::fp64}};
  static const auto specs = record_specs(features, outputs);
  return specs;
}

struct SmallRecord {
  std::string id;
  Moment time = 1'000'000;
  std::uint32_t version = 1;
  std::string arm = "primary";
  std::string predicted = "1";
  std::uint64_t key_hash = 0;
  Moment recorded_at = 0;  // 0: as time.
};

inline void add_small(tensor::Columns& columns, const SmallRecord& record) {
  append_head(
      columns,
      {.id = record.id,
       .time = record.time,
       .recorded_at = record.recorded_at == 0 ? record.time : record.recorded_at,
       .version = record.version,
       .arm = record.arm,
       .stage = "",
       .rollout = "",
       .reason = "default",
       .key_hash = record.key_hash,
       .module = "",
       .error = "",
       .decision = "answered",
       .score = 0.5,
       .predicted = record.predicted,
       .latency_us = 10}
  );
  columns[head_width].add(1.5F);
  columns[head_width + 1].add_text("some text of " + record.id);
  columns[head_width + 2].add(0.25);
}

inline tensor::Columns small_batch(const std::vector<SmallRecord>& records) {
  tensor::Columns columns(small_specs());
  for (const SmallRecord& record : records) add_small(columns, record);
  return columns;
}

// "a0", "a1", …
inline tensor::Columns numbered_batch(
    const std::string& prefix, int rows, Moment time = 1'000'000
) {
  std::vector<SmallRecord> records;
  for (int i = 0; i < rows; ++i) records.push_back({fmt::format("{}{}", prefix, i), time + i});
  return small_batch(records);
}

// One row with an id and a time, as small as a block can be.
inline tensor::Columns tiny_batch(const std::string& id) {
  static const auto specs = std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
      {"id", tensor::DataType::bytes}, {"time", tensor::DataType::int64}});
  tensor::Columns columns(specs);
  columns[0].add_text(id);
  columns[1].add(std::int64_t{1'000'000});
  return columns;
}

// The ids of an endpoint in these segments, in order.
inline std::vector<std::string> read_ids(
    const std::vector<std::string>& paths,
    const std::string& endpoint,
    const std::string& kind = "records"
) {
  std::vector<std::string> ids;
  auto reader = open_segments(paths, endpoint, kind);
  if (!reader) return {"error: " + reader.error().message};
  for (;;) {
    const auto batch = (*reader)->next();
    if (!batch) return {"error: " + batch.error().message};
    if (*batch == nullptr) return ids;
    for (std::size_t row = 0; row < (*batch)->rows(); ++row) {
      ids.emplace_back((**batch)[0].text(row));
    }
  }
}

}  // namespace weir::ledger
