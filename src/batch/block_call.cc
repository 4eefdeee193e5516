#include "batch/block_call.h"

#include <cmath>
#include <cstring>
#include <limits>
namespace weir::batch {
namespace {

using tensor::Column;
using tensor::DataType;
using tensor::Tensor;

// The values of the rows into every `width`th element from `begin` on, a missing one as NaN.
template <class T>
void scatter(
    const Column& column,
    std::span<const std::uint32_t> rows,
    std::size_t begin,
    std::size_t width,
    Tensor& tensor
) {
  const auto from = column.values<T>();
  T* to = tensor.values<T>().data() + begin;
  if (!column.has_nulls()) {
    for (const std::uint32_t row : rows) {
      *to = from[row];
      to += width;
    }
    return;
  }
  for (const std::uint32_t row : rows) {
    *to = column.is_null(row) ? std::numeric_limits<T>::quiet_NaN() : from[row];
    to += width;
  }
}

}  // namespace

Result<void> BlockCall::predict(
    const tensor::Columns& columns, std::span<const std::uint32_t> places, std::string_view name
) {
  clear_way();
  columns_ = &columns;
  rows_ = places;
  given_id_ = name;
  is_over_ = false;
  result_ = {};
  pinned.reset();
  received_ns = monotonic_ns();
  arrived = now_us();
  predictor_.start(*this);
  // A model that is not done at once says so from a thread of its own.
  while (!is_over_) {
    completed_.acquire();
    predictor_.resume(*this);
  }
  return result_;
}

void BlockCall::refuse(const Error& error) {
  result_ = tl::unexpected(error);
  is_over_ = true;
}

Result<void> BlockCall::decode() {
  request.id = given_id_;
  const model::Signature& signature = version_.signature();
  for (const model::TensorSpec& spec : signature.inputs) {
    protocol::InputTensor& input = request.add_input();
    input.name = spec.name;
    tensor::Shape shape = spec.shape;
    if (signature.has_row_axis) shape.set(0, static_cast<std::int64_t>(rows_.size()));
    input.tensor.reset(spec.datatype, shape);
  }
  // The columns of one input stand side by side, in the order of its elements.
  for (std::size_t i = 0; i < match_.places.size(); ++i) {
    const InputPlace& place = match_.places[i];
    Tensor& tensor = request.inputs[place.input].tensor;
    if (tensor.datatype() != DataType::bytes) {
      fill(i, tensor);
    } else if (place.element == 0) {
      fill_texts(i, tensor.size() / rows_.size(), tensor);
    }
  }
  return {};
}

void BlockCall::fill(std::size_t index, Tensor& tensor) const {
  const Column& column = (*columns_)[index];
  const std::size_t width = tensor.size() / rows_.size();
  if (column.spec().is_list) {
    const std::size_t bytes = width * tensor::element_size(tensor.datatype());
    std::byte* to = tensor.raw().data();
    for (const std::uint32_t row : rows_) {
      std::memcpy(to, column.text(row).data(), bytes);
      to += bytes;
    }
    return;
  }
  tensor::visit(tensor.datatype(), [&](auto element) {
    scatter<decltype(element)>(column, rows_, match_.places[index].element, width, tensor);
  });
}

void BlockCall::fill_texts(std::size_t first, std::size_t width, Tensor& tensor) const {
  for (const std::uint32_t row : rows_) {
    for (std::size_t i = 0; i < width; ++i) tensor.add_string((*columns_)[first + i].text(row));
  }
}

}  // namespace weir::batch
