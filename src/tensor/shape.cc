#include "tensor/shape.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/check.h"

namespace weir::tensor {

Shape::Shape(std::initializer_list<std::int64_t> dimensions) {
  CHECK(dimensions.size() <= max_rank, "a literal shape has at most max_rank dimensions");
  for (const std::int64_t size : dimensions) push_back(size);
}

std::optional<Shape> Shape::of(std::span<const std::int64_t> dimensions) {
  Shape shape;
  for (const std::int64_t size : dimensions) {
    if (!shape.push_back(size)) return std::nullopt;
  }
  return shape;
}

bool Shape::push_back(std::int64_t size) {
  if (rank_ == max_rank) return false;
  dimensions_[rank_++] = size;
  return true;
}

std::optional<std::int64_t> Shape::element_count() const {
  std::int64_t product = 1;
  bool has_zero = false;
  for (const std::int64_t size : dimensions()) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      has_zero = true;
      continue;
    }
    if (__builtin_mul_overflow(product, size, &product)) return std::nullopt;
  }
  return has_zero ? 0 : product;
}

bool Shape::accepts(const Shape& actual) const {
  if (rank_ != actual.rank_) return false;
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    if (dimensions_[axis] != -1 && dimensions_[axis] != actual.dimensions_[axis]) return false;
  }
  return true;
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dimensions(), other.dimensions());
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ',';
    text += fmt::format("{}", shape[axis]);
  }
  return text + ']';
}

}  // namespace weir::tensor
