#include "serve/batch.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace weir::serve {

using model::Inference;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

namespace {

bool counts_rows(const Inference& inference, const Tensor& tensor) {
  return tensor.shape().rank() > 0 &&
         tensor.shape()[0] == static_cast<std::int64_t>(inference.rows);
}

// Copies elements [begin, begin + to.size()) of a tensor; `to` has its datatype and shape already.
void copy_elements(const Tensor& from, std::size_t begin, Tensor& to) {
  if (to.datatype() == DataType::bytes) {
    for (std::size_t i = 0; i < to.size(); ++i) to.add_string(from.string(begin + i));
    return;
  }
  const std::size_t element = tensor::element_size(to.datatype());
  if (to.size() == 0) return;
  std::memcpy(to.raw().data(), from.raw().data() + begin * element, to.size() * element);
}

}  // namespace

bool may_share(const Inference& left, const Inference& right) {
  if (left.inputs.size() != right.inputs.size()) return false;
  for (std::size_t i = 0; i < left.inputs.size(); ++i) {
    const Tensor& one = left.inputs[i];
    const Tensor& other = right.inputs[i];
    if (!counts_rows(left, one) || !counts_rows(right, other)) return false;
    if (one.datatype() != other.datatype()) return false;
    const auto inner = one.shape().dimensions().subspan(1);
    if (!std::ranges::equal(inner, other.shape().dimensions().subspan(1))) return false;
  }
  return true;
}

void Batch::gather(std::span<Inference* const> members) {
  rows = 0;
  deadline = 0;
  bool have_deadlines = true;
  for (const Inference* member : members) {
    rows += member->rows;
    have_deadlines = have_deadlines && member->deadline != 0;
    deadline = std::max(deadline, member->deadline);
  }
  if (!have_deadlines) deadline = 0;
  inputs.resize(members.front()->inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& first = members.front()->inputs[i];
    Shape shape = first.shape();
    shape.set(0, static_cast<std::int64_t>(rows));
    inputs[i].reset(first.datatype(), shape);
    const bool is_text = first.datatype() == DataType::bytes;
    const std::size_t element = tensor::element_size(first.datatype());
    std::size_t at = 0;
    for (const Inference* member : members) {
      const Tensor& from = member->inputs[i];
      if (is_text) {
        for (std::size_t e = 0; e < from.size(); ++e) inputs[i].add_string(from.string(e));
      } else if (from.size() > 0) {
        std::memcpy(inputs[i].raw().data() + at * element, from.raw().data(), from.raw().size());
      }
      at += from.size();
    }
  }
  status = {};
  run_ns = 0;
}

bool Batch::scatter(std::span<Inference* const> members) {
  CHECK(status.has_value(), "only what the model answered is given out");
  const bool is_by_row = std::ranges::all_of(outputs, [&](const Tensor& output) {
    return counts_rows(*this, output);
  });
  if (!is_by_row) return false;
  std::size_t row = 0;
  for (Inference* member : members) {
    member->outputs.resize(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      Shape shape = outputs[i].shape();
      shape.set(0, static_cast<std::int64_t>(member->rows));
      member->outputs[i].reset(outputs[i].datatype(), shape);
      const std::size_t width = rows > 0 ? outputs[i].size() / rows : 0;
      copy_elements(outputs[i], row * width, member->outputs[i]);
    }
    row += member->rows;
    member->status = {};
    member->run_ns = run_ns;
    member->batch_rows = 0;
  }
  members.front()->batch_rows = rows;
  return true;
}

}  // namespace weir::serve
