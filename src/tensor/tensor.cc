#include "tensor/tensor.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace weir::tensor {
namespace {

// IEEE 754 binary16 to binary32.
float widen_fp16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F80'0000U | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

}  // namespace

void Tensor::reset(DataType datatype, const Shape& shape) {
  const auto count = shape.element_count();
  CHECK(count.has_value(), "a tensor has a shape without variable dimensions");
  datatype_ = datatype;
  shape_ = shape;
  size_ = static_cast<std::size_t>(*count);
  ends_.clear();
  bytes_.resize(size_ * element_size(datatype));
}

void Tensor::reshape(const Shape& shape) {
  const auto count = shape.element_count();
  CHECK(count && static_cast<std::size_t>(*count) == size_, "reshape keeps the elements");
  shape_ = shape;
}

void Tensor::add_string(std::string_view value) {
  const auto* begin = reinterpret_cast<const std::byte*>(value.data());
  bytes_.insert(bytes_.end(), begin, begin + value.size());
  ends_.push_back(bytes_.size());
}

double to_double(const Tensor& tensor, std::size_t index) {
  switch (tensor.datatype()) {
    case DataType::bytes:
      return std::numeric_limits<double>::quiet_NaN();
    case DataType::fp16:
      return static_cast<double>(widen_fp16(tensor.values<std::uint16_t>()[index]));
    case DataType::bf16:
      return static_cast<double>(std::bit_cast<float>(
          static_cast<std::uint32_t>(tensor.values<std::uint16_t>()[index]) << 16
      ));
    default:
      return visit(tensor.datatype(), [&](auto element) {
        return static_cast<double>(tensor.values<decltype(element)>()[index]);
      });
  }
}

}  // namespace weir::tensor
