#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/datatype.h"
#include "tensor/shape.h"

namespace weir::tensor {

// A dense, row-major array of one datatype that owns its elements. It keeps its memory when it is
// reset, so that a tensor that is used again allocates nothing. One thread at a time.
class Tensor {
 public:
  Tensor() = default;

  // Makes room for shape.element_count() elements; fixed-size elements are not initialised beyond
  // what the vector does, `bytes` elements are to be added one by one.
  // Requires: the shape has an element count.
  void reset(DataType datatype, const Shape& shape);

  DataType datatype() const { return datatype_; }
  const Shape& shape() const { return shape_; }
  // Number of elements by shape.
  std::size_t size() const { return size_; }
  // Changes the shape to one with the same number of elements.
  void reshape(const Shape& shape);

  // Fixed-size datatypes: the elements in host order (little-endian).
  std::span<const std::byte> raw() const { return bytes_; }
  std::span<std::byte> raw() { return bytes_; }
  // Requires: sizeof(T) is the element size.
  template <class T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(bytes_.data()), size_};
  }
  template <class T>
  std::span<T> values() {
    return {reinterpret_cast<T*>(bytes_.data()), size_};
  }

  // `bytes` only. Elements are added in order; `strings_added` counts them.
  void add_string(std::string_view value);
  std::size_t strings_added() const { return ends_.size(); }
  std::string_view string(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return {reinterpret_cast<const char*>(bytes_.data()) + begin, ends_[index] - begin};
  }

  // The memory held, in bytes.
  std::size_t capacity() const {
    return bytes_.capacity() + ends_.capacity() * sizeof(std::size_t);
  }

 private:
  DataType datatype_ = DataType::fp32;
  Shape shape_;
  std::size_t size_ = 0;
  std::vector<std::byte> bytes_;   // Elements; for `bytes` all strings one after the other…
  std::vector<std::size_t> ends_;  // …and where each one ends.
};

// The element as a double: numbers as they are, booleans 0 or 1, fp16 and bf16 widened; NaN for
// `bytes`. Requires: index < tensor.size().
double to_double(const Tensor& tensor, std::size_t index);

}  // namespace weir::tensor
