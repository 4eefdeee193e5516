#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "tensor/columns.h"

// A record: what one arm answered to one row of a request. The columns are fixed in
// docs/ledger-format.md; features and outputs of the endpoint follow them with their own types.

namespace weir::ledger {

// The fixed columns of a record. It borrows its texts.
struct RecordHead {
  std::string_view id = {};
  std::uint32_t row = 0;
  Moment time = 0;         // When it happened, as the client says; else recorded_at.
  Moment recorded_at = 0;  // When the request arrived.
  std::uint32_t version = 0;
  std::string_view arm = {};    // primary, candidate, shadow, human
  std::string_view stage = {};  // Empty while no rollout runs, like rollout.
  std::string_view rollout = {};
  std::string_view reason = {};                // Why this arm answered.
  double propensity = 1.0;                     // The probability with which the arm was chosen.
  std::optional<std::uint64_t> key_hash = {};  // See hash_key; null without a routing key.
  std::string_view module = {};                // Of a pipeline; empty otherwise.
  bool is_error = false;                       // status: "error" or "ok".
  std::string_view error = {};                 // Null unless is_error.
  std::string_view decision = {};
  std::optional<double> score = {};
  std::optional<std::string_view> predicted = {};  // See canonical_label.
  double latency_us = 0;
  double queue_us = 0;
  double run_us = 0;
};

// How many columns append_head fills.
inline constexpr std::size_t head_width = 20;

// The fixed columns in their order. `label` is not among them: it comes from feedback.
std::span<const tensor::ColumnSpec> head_specs();

// The columns of an endpoint's records: head_specs, then client metadata, features and outputs. A
// name that is taken becomes metadata_NAME, feature_NAME or output_NAME (and _2, _3 … after that).
// Names are compared without regard to ASCII case, as SQL does; `label`, `day` and
// everything that begins with `weir_` are taken too.
std::shared_ptr<const tensor::ColumnSpecs> record_specs(
    std::span<const tensor::ColumnSpec> features,
    std::span<const tensor::ColumnSpec> outputs,
    std::span<const tensor::ColumnSpec> metadata = {}
);

// Adds a row to the first head_width columns; the caller adds the rest of the row.
// Requires: columns were made from record_specs.
void append_head(tensor::Columns& columns, const RecordHead& head);
// The same for the rows of one request, in two parts: what is alike in all of them, at once; and
// `row`, `score` and `predicted` of the next one, for each.
void append_common_head(tensor::Columns& columns, const RecordHead& head, std::size_t count);
void append_row_head(tensor::Columns& columns, const RecordHead& head);

// The key_hash of a routing key: what a person's records are found and erased by.
std::uint64_t hash_key(std::string_view routing_key);

// Classes and labels are texts. "1.0" and "1" are one class: a whole number loses its zero
// fraction, every other text stays as it is.
std::string_view canonical_label(std::string_view label);
// The text of a number as a class or value: shortest form that reads back, without a zero fraction.
std::string to_label(double value);
std::string to_label(std::int64_t value);

}  // namespace weir::ledger
