#include "protocol/v2_binary.h"

#include <bit>
#include <cstring>
#include <limits>
#include <span>

#include "base/check.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

static_assert(std::endian::native == std::endian::little, "tensors are copied as they are");

constexpr std::size_t prefix_bytes = sizeof(std::uint32_t);

// Takes the elements one by one; a first pass checks all lengths, so that nothing is stored of
// bytes that do not fit the shape.
Result<void> fill_strings(std::string_view bytes, std::uint64_t count, InputTensor& input) {
  const auto length_at = [&](std::size_t offset) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + offset, prefix_bytes);
    return length;
  };
  std::uint64_t found = 0;
  std::size_t offset = 0;
  for (; offset < bytes.size(); ++found) {
    const std::size_t left = bytes.size() - offset;
    if (left < prefix_bytes || length_at(offset) > left - prefix_bytes) {
      return fail(
          Code::invalid_argument,
          "input '{}': BYTES element {} reaches beyond the end of its {} bytes",
          input.name,
          found,
          bytes.size()
      );
    }
    offset += prefix_bytes + length_at(offset);
  }
  if (found != count) {
    return fail(
        Code::invalid_argument,
        "input '{}': the shape has {} elements, but its {} bytes hold {}",
        input.name,
        count,
        bytes.size(),
        found
    );
  }
  for (offset = 0; offset < bytes.size();) {
    const std::uint32_t length = length_at(offset);
    input.tensor.add_string(bytes.substr(offset + prefix_bytes, length));
    offset += prefix_bytes + length;
  }
  return {};
}

// Not a number has all bits of the exponent and any of the fraction, so without its sign it is
// above infinity.
bool has_nan(std::span<const std::uint16_t> elements, std::uint16_t infinity) {
  bool found = false;
  for (const std::uint16_t element : elements) found |= (element & 0x7FFFU) > infinity;
  return found;
}

template <class T>
bool has_nan(std::span<const T> elements) {
  bool found = false;
  for (const T element : elements) found |= element != element;
  return found;
}

}  // namespace

bool has_missing(const Tensor& tensor) {
  switch (tensor.datatype()) {
    case DataType::fp16:
      return has_nan(tensor.values<std::uint16_t>(), 0x7C00);
    case DataType::bf16:
      return has_nan(tensor.values<std::uint16_t>(), 0x7F80);
    case DataType::fp32:
      return has_nan(tensor.values<float>());
    case DataType::fp64:
      return has_nan(tensor.values<double>());
    default:
      return false;
  }
}

Result<void> fill_from_binary(
    std::string_view bytes, DataType datatype, const Shape& shape, InputTensor& input
) {
  const auto count = shape.element_count();
  if (!count) {
    return fail(
        Code::invalid_argument, "input '{}': {} is not a shape", input.name, to_string(shape)
    );
  }
  const auto elements = static_cast<std::uint64_t>(*count);
  if (datatype == DataType::bytes) {
    input.tensor.reset(datatype, shape);
    return fill_strings(bytes, elements, input);
  }
  const std::size_t size = tensor::element_size(datatype);
  if (bytes.size() % size != 0 || bytes.size() / size != elements) {
    return fail(
        Code::invalid_argument,
        "input '{}': {} of shape {} takes {} elements of {} bytes, but there are {} bytes",
        input.name,
        to_string(datatype),
        to_string(shape),
        elements,
        size,
        bytes.size()
    );
  }
  if (datatype == DataType::boolean) {
    for (std::size_t index = 0; index < bytes.size(); ++index) {
      const auto byte = static_cast<unsigned char>(bytes[index]);
      if (byte > 1) {
        return fail(
            Code::invalid_argument,
            "input '{}': BOOL element {} is {}; it must be 0 or 1",
            input.name,
            index,
            byte
        );
      }
    }
  }
  input.tensor.reset(datatype, shape);
  if (!bytes.empty()) std::memcpy(input.tensor.raw().data(), bytes.data(), bytes.size());
  input.has_missing = has_missing(input.tensor);
  return {};
}

std::uint64_t binary_size(const Tensor& tensor) {
  if (tensor.datatype() != DataType::bytes) return tensor.raw().size();
  return tensor.raw().size() + tensor.strings_added() * prefix_bytes;
}

void append_binary(const Tensor& tensor, std::string& body) {
  if (tensor.datatype() != DataType::bytes) {
    body.append(reinterpret_cast<const char*>(tensor.raw().data()), tensor.raw().size());
    return;
  }
  for (std::size_t index = 0; index < tensor.strings_added(); ++index) {
    const std::string_view text = tensor.string(index);
    CHECK(text.size() <= std::numeric_limits<std::uint32_t>::max(), "an element is below 4 GiB");
    const auto length = static_cast<std::uint32_t>(text.size());
    body.append(reinterpret_cast<const char*>(&length), prefix_bytes);
    body.append(text);
  }
}

}  // namespace weir::protocol
