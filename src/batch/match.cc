#include "batch/match.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "table/file_format.h"

namespace weir::batch {
namespace {

using model::Signature;

// Elements of one row of an input; 0 when their number varies.
std::size_t row_elements(const model::TensorSpec& spec, bool has_row_axis) {
  std::size_t product = 1;
  for (std::size_t axis = has_row_axis ? 1 : 0; axis < spec.shape.rank(); ++axis) {
    if (spec.shape[axis] < 0) return 0;
    product *= static_cast<std::size_t>(spec.shape[axis]);
  }
  return product;
}

// What the model wants, under its own names.
Result<Match> wanted_columns(const Signature& signature, const MatchOptions& options) {
  Match match;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const model::TensorSpec& spec = signature.inputs[i];
    const std::size_t elements = row_elements(spec, signature.has_row_axis);
    if (elements == 0) {
      return fail(
          Code::invalid_argument,
          "input '{}' has shape {}: rows of a file need a fixed number of elements",
          spec.name,
          to_string(spec.shape)
      );
    }
    if (spec.datatype == tensor::DataType::fp16 || spec.datatype == tensor::DataType::bf16) {
      return fail(
          Code::invalid_argument,
          "input '{}' is {}, which no file holds; export the model with FP32 inputs",
          spec.name,
          tensor::to_string(spec.datatype)
      );
    }
    if (elements <= Signature::max_features_per_input) continue;
    if (spec.datatype == tensor::DataType::bytes) {
      return fail(
          Code::invalid_argument, "input '{}' takes lists of texts, which no file holds", spec.name
      );
    }
    match.columns.push_back({.name = spec.name, .datatype = spec.datatype, .elements = elements});
    match.places.push_back({i, 0});
  }
  std::size_t position = 0;
  for (const model::Feature& feature : signature.features) {
    const model::TensorSpec& spec = signature.inputs[feature.input];
    const bool is_only = row_elements(spec, signature.has_row_axis) == 1;
    const std::string made_up =
        is_only ? spec.name : fmt::format("{}_{}", spec.name, feature.index);
    const bool has_name = !feature.name.empty() && feature.name != made_up;
    std::string name = has_name ? feature.name : made_up;
    if (!has_name && position < options.endpoint_features.size()) {
      name = options.endpoint_features[position];
    }
    ++position;
    match.columns.push_back(
        {.name = std::move(name),
         .datatype = spec.datatype,
         .elements = 0,
         .may_be_missing = feature.may_be_missing}
    );
    match.places.push_back({feature.input, feature.index});
  }
  return match;
}

std::vector<std::string> names_of(const std::vector<table::TypedColumn>& columns) {
  std::vector<std::string> names;
  for (const table::TypedColumn& column : columns) names.push_back(column.name);
  return names;
}

void rename(Match& match, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) match.columns[i].name = names[i];
}

}  // namespace

Result<Match> match_columns(
    const Signature& signature, const table::FileHead& head, const MatchOptions& options
) {
  Match match = TRY(wanted_columns(signature, options));
  const std::vector<std::string> wanted = names_of(match.columns);
  if (!options.columns.empty()) {
    if (options.columns.size() != wanted.size()) {
      return fail(
          Code::invalid_argument,
          "--columns names {} columns; the model wants {}, in this order: {}",
          options.columns.size(),
          wanted.size(),
          fmt::join(wanted, ", ")
      );
    }
    rename(match, options.columns);
    return match;
  }
  std::vector<std::string> free;  // Columns that may be inputs by position.
  std::vector<std::string> all;
  for (const table::ColumnInfo& column : head.columns) {
    all.push_back(column.name);
    if (std::ranges::find(options.keep, column.name) == options.keep.end()) {
      free.push_back(column.name);
    }
  }
  std::vector<std::string> missed;
  for (const std::string& name : wanted) {
    if (std::ranges::find(all, name) == all.end()) missed.push_back(name);
  }
  if (missed.empty()) return match;
  // Members of JSON have no position.
  const bool has_positions = TRY(table::file_format(head.path)) != table::FileFormat::ndjson &&
                             TRY(table::file_format(head.path)) != table::FileFormat::json;
  if (has_positions && missed.size() == wanted.size() && free.size() == wanted.size()) {
    std::vector<std::string> pairs;
    for (std::size_t i = 0; i < wanted.size(); ++i) pairs.push_back(free[i] + " as " + wanted[i]);
    match.note = fmt::format(
        "no column of '{}' is called like a feature of the model; taken by position: {}",
        head.path,
        fmt::join(pairs, ", ")
    );
    rename(match, free);
    return match;
  }
  return fail(
      Code::invalid_argument,
      "'{}' has no column {} for the model, which wants: {}. The file has: {}. Say which columns "
      "they are, in the model's order, with --columns a,b,…",
      head.path,
      fmt::join(missed, ", "),
      fmt::join(wanted, ", "),
      fmt::join(all, ", ")
  );
}

}  // namespace weir::batch
