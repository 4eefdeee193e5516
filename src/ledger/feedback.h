#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "tensor/columns.h"

// What is learned later about a record.

namespace weir::ledger {

struct Feedback {
  enum class Kind : std::uint8_t { label, event, tag };

  std::string id = {};
  std::uint32_t row = 0;
  Kind kind = Kind::label;
  std::string text = {};             // The label, the name of the event or the tag.
  std::optional<double> value = {};  // Of an event.
  Moment time = 0;                   // When it became true; the latest label counts.
  Moment recorded_at = 0;            // When it arrived.
};

// "label", "event", "tag".
std::string_view to_string(Feedback::Kind kind);

// The columns of feedback on disk: id, row, time, recorded_at, label, event, value, tag.
const std::shared_ptr<const tensor::ColumnSpecs>& feedback_specs();

// Adds one row. Requires: columns were made from feedback_specs.
void append_feedback_row(tensor::Columns& columns, const Feedback& feedback);

}  // namespace weir::ledger
