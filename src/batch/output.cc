#include "batch/output.h"

#include <algorithm>

#include "serve/record_columns.h"
#include "table/sql_text.h"

namespace weir::batch {
namespace {

using serve::RecordLayout;
using tensor::Column;
using tensor::DataType;

void copy_value(const Column& from, std::size_t row, Column& to) {
  if (from.is_null(row)) {
    to.add_null();
  } else if (from.spec().datatype == DataType::bytes) {
    to.add_text(from.text(row));
  } else {
    tensor::visit(from.spec().datatype, [&](auto element) {
      to.add(from.values<decltype(element)>()[row]);
    });
  }
}

}  // namespace

Result<OutputLayout> OutputLayout::create(
    const serve::Version& version,
    std::span<const tensor::ColumnSpec> kept,
    std::span<const std::string> kept_types,
    bool with_id
) {
  OutputLayout layout;
  const model::Signature& signature = version.signature();
  layout.kept_types_.assign(kept_types.begin(), kept_types.end());
  layout.with_id_ = with_id;
  layout.has_score_ = signature.score.has_value();
  layout.has_predicted_ =
      signature.predicted || (signature.score && signature.task != model::Task::other);
  tensor::ColumnSpecs specs(kept.begin(), kept.end());
  if (with_id) specs.push_back({"id", DataType::bytes, false});
  if (with_id) specs.push_back({"row", DataType::uint32, false});
  if (layout.has_score_) specs.push_back({"score", DataType::fp64, false});
  if (layout.has_predicted_) specs.push_back({"predicted", DataType::bytes, false});
  const RecordLayout& record = version.layout();
  const std::size_t first = record.specs()->size() - record.sources().size();
  for (std::size_t i = 0; i < record.sources().size(); ++i) {
    if (record.sources()[i].side != RecordLayout::Side::output) continue;
    layout.sources_.push_back(record.sources()[i]);
    specs.push_back((*record.specs())[first + i]);
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (specs[i].name != specs[j].name) continue;
      return fail(
          Code::invalid_argument,
          "the output would have two columns '{}'; rename that of --keep in the file",
          specs[i].name
      );
    }
  }
  layout.specs_ = std::make_shared<const tensor::ColumnSpecs>(std::move(specs));
  return layout;
}

void OutputLayout::append(
    const BlockCall& call,
    const tensor::Columns& input,
    std::span<const std::uint32_t> rows,
    tensor::Columns& output
) const {
  std::size_t at = 0;
  const std::size_t first_kept = input.width() - kept_types_.size();
  for (std::size_t i = 0; i < kept_types_.size(); ++i, ++at) {
    for (const std::uint32_t row : rows) copy_value(input[first_kept + i], row, output[at]);
  }
  if (with_id_) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      output[at].add_text(call.id);
      output[at + 1].add(static_cast<std::uint32_t>(row));
    }
    at += 2;
  }
  if (has_score_) {
    for (const serve::RowAnswer& answer : call.answers) {
      answer.has_score ? output[at].add(answer.score) : output[at].add_null();
    }
    ++at;
  }
  if (has_predicted_) {
    for (const serve::RowAnswer& answer : call.answers) {
      answer.predicted.empty() ? output[at].add_null() : output[at].add_text(answer.predicted);
    }
    ++at;
  }
  for (const RecordLayout::Source& source : sources_) {
    serve::append_source(source, call.outputs, call.rows, 0, rows.size(), output[at++]);
  }
}

std::string OutputLayout::copy_statement(
    table::FileFormat format, const std::string& path, bool is_first
) const {
  std::string list;
  for (std::size_t i = 0; i < specs_->size(); ++i) {
    const std::string name = table::identifier((*specs_)[i].name);
    if (!list.empty()) list += ", ";
    const bool is_carried_as_text =
        i < kept_types_.size() && (*specs_)[i].datatype == DataType::bytes;
    if (!is_carried_as_text || kept_types_[i] == "VARCHAR") {
      list += name;
    } else if (kept_types_[i] == "JSON" && format != table::FileFormat::ndjson) {
      // Elsewhere a text of JSON is a text, without its quotes.
      list += "(" + name + "::JSON ->> '$') AS " + name;
    } else {
      list += name + "::" + kept_types_[i] + " AS " + name;
    }
  }
  std::string options = table::copy_options(format);
  if (format == table::FileFormat::csv && !is_first) options = "(FORMAT csv, HEADER false)";
  return fmt::format(
      "COPY (SELECT {} FROM {}) TO {} {}", list, table::incoming_rows, table::literal(path), options
  );
}

}  // namespace weir::batch
