#include "tensor/datatype.h"

#include <array>

namespace weir::tensor {
namespace {

struct Row {
  DataType datatype;
  std::string_view name;
  std::size_t size;
};

// In the order of the enum.
constexpr std::array<Row, 14> rows = {{
    {DataType::boolean, "BOOL", 1},
    {DataType::uint8, "UINT8", 1},
    {DataType::uint16, "UINT16", 2},
    {DataType::uint32, "UINT32", 4},
    {DataType::uint64, "UINT64", 8},
    {DataType::int8, "INT8", 1},
    {DataType::int16, "INT16", 2},
    {DataType::int32, "INT32", 4},
    {DataType::int64, "INT64", 8},
    {DataType::fp16, "FP16", 2},
    {DataType::bf16, "BF16", 2},
    {DataType::fp32, "FP32", 4},
    {DataType::fp64, "FP64", 8},
    {DataType::bytes, "BYTES", 0},
}};

}  // namespace

std::string_view to_string(DataType datatype) {
  return rows[static_cast<std::size_t>(datatype)].name;
}

std::size_t element_size(DataType datatype) {
  return rows[static_cast<std::size_t>(datatype)].size;
}

std::optional<DataType> parse_datatype(std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return row.datatype;
  }
  return std::nullopt;
}

}  // namespace weir::tensor
