#include "ledger/feedback.h"

#include "ledger/moment_range.h"
#include "ledger/record.h"

namespace weir::ledger {

std::string_view to_string(Feedback::Kind kind) {
  switch (kind) {
    case Feedback::Kind::label:
      return "label";
    case Feedback::Kind::event:
      return "event";
    case Feedback::Kind::tag:
      break;
  }
  return "tag";
}

const std::shared_ptr<const tensor::ColumnSpecs>& feedback_specs() {
  using tensor::DataType;
  static const auto specs = std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
      {"id", DataType::bytes},
      {"row", DataType::uint32},
      {"time", DataType::int64},
      {"recorded_at", DataType::int64},
      {"label", DataType::bytes},
      {"event", DataType::bytes},
      {"value", DataType::fp64},
      {"tag", DataType::bytes},
  });
  return specs;
}

void append_feedback_row(tensor::Columns& columns, const Feedback& feedback) {
  using Kind = Feedback::Kind;
  const auto add_if = [&](tensor::Column& column, Kind kind, std::string_view text) {
    if (feedback.kind == kind) {
      column.add_text(text);
    } else {
      column.add_null();
    }
  };
  columns[0].add_text(feedback.id);
  columns[1].add(feedback.row);
  columns[2].add(within_years(feedback.time));
  columns[3].add(within_years(feedback.recorded_at));
  add_if(columns[4], Kind::label, canonical_label(feedback.text));
  add_if(columns[5], Kind::event, feedback.text);
  if (feedback.kind == Kind::event && feedback.value) {
    columns[6].add(*feedback.value);
  } else {
    columns[6].add_null();
  }
  add_if(columns[7], Kind::tag, feedback.text);
}

}  // namespace weir::ledger
