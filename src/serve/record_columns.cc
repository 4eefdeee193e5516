#include "serve/record_columns.h"

#include <charconv>
#include <cstring>

#include "base/hash.h"

namespace weir::serve {
namespace {

using model::Keep;
using tensor::Column;
using tensor::DataType;
using tensor::Tensor;
using Source = RecordLayout::Source;

// The value's own text, hashed: what a person's data becomes under `store: hash`.
void add_hash(const Tensor& tensor, std::size_t index, Column& column) {
  std::string text;
  if (tensor.datatype() == DataType::bytes) {
    text = tensor.string(index);
  } else {
    char buffer[32];
    const auto [end, error] =
        std::to_chars(buffer, buffer + sizeof(buffer), tensor::to_double(tensor, index));
    text.assign(buffer, error == std::errc() ? end : buffer);
  }
  column.add_text(sha256(text).substr(0, 16));
}

void add_element(const Source& source, const Tensor& tensor, std::size_t index, Column& column) {
  if (source.keep == Keep::hash) {
    add_hash(tensor, index, column);
    return;
  }
  switch (tensor.datatype()) {
    case DataType::bytes:
      column.add_text(tensor.string(index));
      return;
    case DataType::fp16:
    case DataType::bf16:
      column.add(static_cast<float>(tensor::to_double(tensor, index)));
      return;
    default:
      tensor::visit(tensor.datatype(), [&](auto element) {
        column.add(tensor.values<decltype(element)>()[index]);
      });
  }
}

void add_list(const Tensor& tensor, std::size_t begin, std::size_t count, Column& column) {
  if (tensor.datatype() == DataType::fp16 || tensor.datatype() == DataType::bf16) {
    std::vector<float> widened;
    widened.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      widened.push_back(static_cast<float>(tensor::to_double(tensor, begin + i)));
    }
    column.add_list(std::as_bytes(std::span(widened)));
    return;
  }
  const std::size_t size = tensor::element_size(tensor.datatype());
  column.add_list(tensor.raw().subspan(begin * size, count * size));
}

void add_one(
    const Source& source, const Tensor& tensor, std::size_t width, std::size_t row, Column& column
) {
  const std::size_t index = row * width + source.element;
  const bool lacks_text = tensor.datatype() == DataType::bytes && index >= tensor.strings_added();
  if (source.is_list) {
    add_list(tensor, row * width, width, column);
  } else if (lacks_text) {
    column.add_null();
  } else {
    add_element(source, tensor, index, column);
  }
}

}  // namespace

void append_source(
    const Source& source,
    std::span<const Tensor> tensors,
    std::size_t rows,
    std::size_t first,
    std::size_t count,
    Column& column
) {
  if (source.tensor >= tensors.size()) return column.add_null(count);
  const Tensor& tensor = tensors[source.tensor];
  const std::size_t width = elements_per_row(tensor, rows);
  if (!source.is_list && source.element >= width) return column.add_null(count);
  const bool is_plain = !source.is_list && source.keep != Keep::hash;
  const std::size_t begin = first * width + source.element;
  // NaN is how a missing value travels; in the ledger it is null.
  if (is_plain && tensor.datatype() == DataType::fp32) {
    column.add_spaced(tensor.values<float>().data() + begin, width, count);
  } else if (is_plain && tensor.datatype() == DataType::fp64) {
    column.add_spaced(tensor.values<double>().data() + begin, width, count);
  } else {
    for (std::size_t row = first; row < first + count; ++row) {
      add_one(source, tensor, width, row, column);
    }
  }
}

void append_rows(
    const RecordRequest& request, std::size_t first, std::size_t count, tensor::Columns& batch
) {
  const RecordLayout& layout = request.version->layout();
  ledger::append_common_head(batch, request.head, count);
  ledger::RecordHead head = request.head;
  for (std::size_t row = first; row < first + count; ++row) {
    head.row = static_cast<std::uint32_t>(row);
    if (row < request.answers.size()) {
      const RowAnswer& answer = request.answers[row];
      head.score = answer.has_score ? std::optional(answer.score) : std::nullopt;
      head.predicted.reset();
      if (!answer.predicted.empty()) head.predicted = answer.predicted;
    }
    ledger::append_row_head(batch, head);
  }
  std::size_t at = ledger::head_width;
  for (std::size_t i = 0; i < layout.metadata().size(); ++i, ++at) {
    const bool is_there = i < request.metadata.size() && !request.metadata[i].empty();
    is_there ? batch[at].add_text(request.metadata[i], count) : batch[at].add_null(count);
  }
  for (const Source& source : layout.sources()) {
    const bool is_input = source.side == RecordLayout::Side::input;
    const auto tensors = is_input ? request.inputs : request.outputs;
    append_source(source, tensors, request.rows, first, count, batch[at++]);
  }
}

}  // namespace weir::serve
