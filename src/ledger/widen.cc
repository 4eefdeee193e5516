#include "ledger/widen.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include <fmt/core.h>

#include "base/check.h"

namespace weir::ledger {
namespace {

using tensor::DataType;

bool is_signed(DataType type) {
  return type >= DataType::int8 && type <= DataType::int64;
}
bool is_unsigned(DataType type) {
  return type >= DataType::boolean && type <= DataType::uint64;
}

DataType signed_of(std::size_t bytes) {
  switch (bytes) {
    case 1:
      return DataType::int8;
    case 2:
      return DataType::int16;
    case 4:
      return DataType::int32;
    default:
      return DataType::int64;
  }
}

DataType widen_type(DataType a, DataType b) {
  if (a == b) return a;
  if (a == DataType::bytes || b == DataType::bytes) return DataType::bytes;
  const std::size_t size_a = tensor::element_size(a);
  const std::size_t size_b = tensor::element_size(b);
  if (tensor::is_floating(a) && tensor::is_floating(b)) {
    return a == DataType::fp64 || b == DataType::fp64 ? DataType::fp64 : DataType::fp32;
  }
  if (tensor::is_floating(a) || tensor::is_floating(b)) return DataType::fp64;
  if (is_signed(a) == is_signed(b)) {
    if (size_a == size_b) return a == DataType::boolean ? b : a;
    return size_a > size_b ? a : b;
  }
  const std::size_t unsigned_size = is_unsigned(a) ? size_a : size_b;
  const std::size_t signed_size = is_unsigned(a) ? size_b : size_a;
  if (unsigned_size < signed_size) return signed_of(signed_size);
  return unsigned_size < 8 ? signed_of(unsigned_size * 2) : DataType::fp64;
}

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t exponent = bits >> 10U & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

float from_brain(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

template <class T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Calls function with the element as a C++ number. Booleans are 0 or 1 whatever their byte says.
template <class Function>
auto with_number(std::span<const std::byte> element, DataType type, Function&& function) {
  if (type == DataType::fp16) return function(from_half(load<std::uint16_t>(element)));
  if (type == DataType::bf16) return function(from_brain(load<std::uint16_t>(element)));
  return tensor::visit(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) {
      return function(static_cast<std::uint8_t>(load<std::uint8_t>(element) != 0 ? 1 : 0));
    } else {
      return function(load<T>(element));
    }
  });
}

std::string text_of(std::span<const std::byte> element, DataType type) {
  if (type == DataType::boolean) return load<std::uint8_t>(element) != 0 ? "true" : "false";
  return with_number(element, type, [](auto number) { return fmt::format("{}", number); });
}

// A number of one type as the bytes of a wider one. Requires: widen_type(from, to) == to.
template <class Add>
void convert_number(std::span<const std::byte> element, DataType from, DataType to, Add&& add) {
  with_number(element, from, [&](auto number) {
    tensor::visit(to, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (!std::is_same_v<T, bool>) add(static_cast<T>(number));
    });
  });
}

void append_same(const ColumnChunk& chunk, std::uint32_t rows, tensor::Column& to) {
  const DataType type = to.spec().datatype;
  if (to.spec().is_list || type == DataType::bytes) {
    for (std::uint32_t row = 0; row < rows; ++row) {
      if (chunk.is_null(row)) {
        to.add_null();
        continue;
      }
      const auto value = chunk.value(row, 0);
      if (to.spec().is_list) {
        to.add_list(value);
      } else {
        to.add_text({reinterpret_cast<const char*>(value.data()), value.size()});
      }
    }
    return;
  }
  tensor::visit(type, [&](auto zero) {
    using T =
        std::conditional_t<std::is_same_v<decltype(zero), bool>, std::uint8_t, decltype(zero)>;
    for (std::uint32_t row = 0; row < rows; ++row) {
      if (chunk.is_null(row)) {
        to.add_null();
        continue;
      }
      T value = load<T>(chunk.value(row, sizeof(T)));
      if (type == DataType::boolean) value = static_cast<T>(value != T{0} ? 1 : 0);
      to.add(value);
    }
  });
}

// A list of the same element type, a longer element type, or a single value that becomes a list.
void append_list(
    std::span<const std::byte> value,
    const tensor::ColumnSpec& from,
    tensor::Column& to,
    Bytes& scratch
) {
  const DataType type = to.spec().datatype;
  if (from.datatype == type) {
    to.add_list(value);
    return;
  }
  const std::size_t size = tensor::element_size(from.datatype);
  scratch.clear();
  for (std::size_t at = 0; at < value.size(); at += size) {
    convert_number(value.subspan(at, size), from.datatype, type, [&](auto number) {
      const auto* begin = reinterpret_cast<const std::byte*>(&number);
      scratch.insert(scratch.end(), begin, begin + sizeof(number));
    });
  }
  to.add_list(scratch);
}

void append_text(
    std::span<const std::byte> value, const tensor::ColumnSpec& from, tensor::Column& to
) {
  if (from.datatype == DataType::bytes) {
    to.add_text({reinterpret_cast<const char*>(value.data()), value.size()});
    return;
  }
  const std::size_t size = tensor::element_size(from.datatype);
  if (!from.is_list) {
    to.add_text(text_of(value, from.datatype));
    return;
  }
  std::string text = "[";
  for (std::size_t at = 0; at < value.size(); at += size) {
    if (at > 0) text += ", ";
    text += text_of(value.subspan(at, size), from.datatype);
  }
  to.add_text(text + "]");
}

}  // namespace

tensor::ColumnSpec widen(const tensor::ColumnSpec& a, const tensor::ColumnSpec& b) {
  tensor::ColumnSpec both = a;
  both.datatype = widen_type(a.datatype, b.datatype);
  // There are no lists of texts: a list that meets a text becomes one.
  both.is_list = (a.is_list || b.is_list) && both.datatype != DataType::bytes;
  return both;
}

void append_chunk(
    const ColumnChunk& chunk, const tensor::ColumnSpec& from, std::uint32_t rows, tensor::Column& to
) {
  const tensor::ColumnSpec& spec = to.spec();
  if (from.datatype == spec.datatype && from.is_list == spec.is_list) {
    append_same(chunk, rows, to);
    return;
  }
  const bool is_fixed = !from.is_list && from.datatype != DataType::bytes;
  const std::size_t size = is_fixed ? tensor::element_size(from.datatype) : 0;
  Bytes scratch;
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (chunk.is_null(row)) {
      to.add_null();
      continue;
    }
    const auto value = chunk.value(row, size);
    if (spec.is_list) {
      append_list(value, from, to, scratch);
    } else if (spec.datatype == DataType::bytes) {
      append_text(value, from, to);
    } else {
      convert_number(value, from.datatype, spec.datatype, [&](auto number) { to.add(number); });
    }
  }
}

}  // namespace weir::ledger
