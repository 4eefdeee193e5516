#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::tensor {

// The dimensions of a tensor, outermost first; -1 means variable (in signatures only).
class Shape {
 public:
  static constexpr std::size_t max_rank = 16;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dimensions);
  // Nothing when there are more than max_rank dimensions.
  static std::optional<Shape> of(std::span<const std::int64_t> dimensions);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const { return dimensions_[axis]; }
  void set(std::size_t axis, std::int64_t size) { dimensions_[axis] = size; }
  // False when max_rank is reached.
  bool push_back(std::int64_t size);
  void clear() { rank_ = 0; }
  std::span<const std::int64_t> dimensions() const { return {dimensions_.data(), rank_}; }

  // The product of the dimensions; nothing when one is negative or the product overflows int64.
  // A shape without dimensions is a scalar and has one element.
  std::optional<std::int64_t> element_count() const;

  // Whether a tensor of shape `actual` fits this signature shape, where -1 fits any size.
  bool accepts(const Shape& actual) const;

  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_rank> dimensions_{};
  std::size_t rank_ = 0;
};

// "[-1,8]"
std::string to_string(const Shape& shape);

}  // namespace weir::tensor
