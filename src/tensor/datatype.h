#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// The element types of the Open Inference Protocol V2.

namespace weir::tensor {

enum class DataType : std::uint8_t {
  boolean,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  fp16,  // Carried as bytes; never computed with here.
  bf16,  // Likewise.
  fp32,
  fp64,
  bytes,  // A string or any bytes, of variable length.
};

// The protocol's name: "BOOL", "FP32", "BYTES"…
std::string_view to_string(DataType datatype);
std::optional<DataType> parse_datatype(std::string_view name);

// Bytes of one element; 0 for `bytes`, whose elements differ in length.
std::size_t element_size(DataType datatype);

inline bool is_floating(DataType datatype) {
  return datatype == DataType::fp16 || datatype == DataType::bf16 ||
         datatype == DataType::fp32 || datatype == DataType::fp64;
}

// The DataType of a C++ type: data_type_of<float>() is fp32.
template <class T>
constexpr DataType data_type_of();
template <> constexpr DataType data_type_of<bool>() { return DataType::boolean; }
template <> constexpr DataType data_type_of<std::uint8_t>() { return DataType::uint8; }
template <> constexpr DataType data_type_of<std::uint16_t>() { return DataType::uint16; }
template <> constexpr DataType data_type_of<std::uint32_t>() { return DataType::uint32; }
template <> constexpr DataType data_type_of<std::uint64_t>() { return DataType::uint64; }
template <> constexpr DataType data_type_of<std::int8_t>() { return DataType::int8; }
template <> constexpr DataType data_type_of<std::int16_t>() { return DataType::int16; }
template <> constexpr DataType data_type_of<std::int32_t>() { return DataType::int32; }
template <> constexpr DataType data_type_of<std::int64_t>() { return DataType::int64; }
template <> constexpr DataType data_type_of<float>() { return DataType::fp32; }
template <> constexpr DataType data_type_of<double>() { return DataType::fp64; }

// Calls function with a value-initialised element of the C++ type of a fixed-size datatype; fp16
// and bf16 are visited as uint16 bit patterns. Requires: datatype != bytes.
template <class Function>
decltype(auto) visit(DataType datatype, Function&& function) {
  switch (datatype) {
    case DataType::boolean:
      return function(bool{});
    case DataType::uint8:
      return function(std::uint8_t{});
    case DataType::uint32:
      return function(std::uint32_t{});
    case DataType::uint64:
      return function(std::uint64_t{});
    case DataType::int8:
      return function(std::int8_t{});
    case DataType::int16:
      return function(std::int16_t{});
    case DataType::int32:
      return function(std::int32_t{});
    case DataType::int64:
      return function(std::int64_t{});
    case DataType::fp32:
      return function(float{});
    case DataType::fp64:
      return function(double{});
    case DataType::uint16:
    case DataType::fp16:
    case DataType::bf16:
    case DataType::bytes:
      break;
  }
  return function(std::uint16_t{});
}

}  // namespace weir::tensor
