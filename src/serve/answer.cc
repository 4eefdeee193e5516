#include "serve/answer.h"

#include <charconv>
#include <cmath>

namespace weir::serve {
namespace {

using model::Signature;
using model::Task;
using tensor::DataType;
using tensor::Tensor;

template <class Number>
void write_number(Number value, std::string& text) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  text.assign(buffer, error == std::errc() ? end : buffer);
}

// A label as text: integers as they stand, whole floating-point numbers without a fraction, so
// that 1, 1.0 and "1" are one label.
void write_label(const Tensor& tensor, std::size_t index, std::string& text) {
  if (tensor.datatype() == DataType::bytes) {
    text.assign(tensor.string(index));
  } else if (tensor.datatype() == DataType::fp32) {
    write_number(tensor.values<float>()[index], text);
  } else if (tensor.datatype() == DataType::int64) {
    write_number(tensor.values<std::int64_t>()[index], text);
  } else if (tensor.datatype() == DataType::uint64) {
    write_number(tensor.values<std::uint64_t>()[index], text);
  } else if (tensor::is_floating(tensor.datatype())) {
    write_number(tensor::to_double(tensor, index), text);
  } else {
    write_number(static_cast<std::int64_t>(tensor::to_double(tensor, index)), text);
  }
}

std::size_t largest(const Tensor& tensor, std::size_t begin, std::size_t count) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (tensor::to_double(tensor, begin + i) > tensor::to_double(tensor, begin + best)) best = i;
  }
  return best;
}

void write_class(const Signature& signature, std::size_t index, std::string& text) {
  if (index < signature.classes.size()) {
    text = signature.classes[index];
  } else {
    write_number(index, text);
  }
}

// The element of a row that `element` names; nothing when the output is too short.
bool locate(
    const Signature& signature,
    std::span<const Tensor> outputs,
    const model::OutputElement& element,
    std::size_t row,
    std::size_t rows,
    std::size_t& index
) {
  if (element.output >= outputs.size() || element.output >= signature.outputs.size()) return false;
  const Tensor& tensor = outputs[element.output];
  const std::size_t width = elements_per_row(tensor, rows);
  index = row * width + element.index;
  return element.index < width;
}

void read_score(
    const Signature& signature,
    std::span<const Tensor> outputs,
    std::size_t row,
    std::size_t rows,
    RowAnswer& answer
) {
  std::size_t index = 0;
  if (!locate(signature, outputs, *signature.score, row, rows, index)) return;
  const Tensor& tensor = outputs[signature.score->output];
  if (tensor.datatype() == DataType::bytes) return;
  const std::size_t width = elements_per_row(tensor, rows);
  answer.has_score = true;
  if (signature.task == Task::multiclass && width > 1) {
    const std::size_t best = largest(tensor, row * width, width);
    answer.score = tensor::to_double(tensor, row * width + best);
    if (!signature.predicted) write_class(signature, best, answer.predicted);
    return;
  }
  answer.score = tensor::to_double(tensor, index);
  if (signature.predicted) return;
  if (signature.task == Task::binary) {
    write_class(signature, answer.score > 0.5 ? 1 : 0, answer.predicted);
  } else if (signature.task == Task::regression) {
    write_label(tensor, index, answer.predicted);
  }
}

}  // namespace

void read_answers(
    const Signature& signature,
    std::span<const Tensor> outputs,
    std::size_t rows,
    std::vector<RowAnswer>& answers
) {
  answers.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    RowAnswer& answer = answers[row];
    answer.has_score = false;
    answer.predicted.clear();
    if (signature.score) read_score(signature, outputs, row, rows, answer);
    std::size_t index = 0;
    if (signature.predicted && locate(signature, outputs, *signature.predicted, row, rows, index)) {
      write_label(outputs[signature.predicted->output], index, answer.predicted);
    }
  }
}

}  // namespace weir::serve
