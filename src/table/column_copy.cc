#include "table/column_copy.h"

#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "base/utf8.h"
#include "tensor/tensor.h"

namespace weir::table {
namespace {

using tensor::DataType;

bool is_half(DataType datatype) {
  return datatype == DataType::fp16 || datatype == DataType::bf16;
}

duckdb_type type_of(DataType datatype) {
  switch (datatype) {
    case DataType::boolean:
      return DUCKDB_TYPE_BOOLEAN;
    case DataType::uint8:
      return DUCKDB_TYPE_UTINYINT;
    case DataType::uint16:
      return DUCKDB_TYPE_USMALLINT;
    case DataType::uint32:
      return DUCKDB_TYPE_UINTEGER;
    case DataType::uint64:
      return DUCKDB_TYPE_UBIGINT;
    case DataType::int8:
      return DUCKDB_TYPE_TINYINT;
    case DataType::int16:
      return DUCKDB_TYPE_SMALLINT;
    case DataType::int32:
      return DUCKDB_TYPE_INTEGER;
    case DataType::int64:
      return DUCKDB_TYPE_BIGINT;
    case DataType::fp16:
    case DataType::bf16:
    case DataType::fp32:
      return DUCKDB_TYPE_FLOAT;
    case DataType::fp64:
      return DUCKDB_TYPE_DOUBLE;
    case DataType::bytes:
      return DUCKDB_TYPE_VARCHAR;
  }
  return DUCKDB_TYPE_VARCHAR;
}

// The bytes of elements, widened where the database has no such type.
void copy_elements(DataType datatype, std::string_view elements, void* out) {
  if (!is_half(datatype)) {
    if (!elements.empty()) std::memcpy(out, elements.data(), elements.size());
    return;
  }
  const std::size_t count = elements.size() / sizeof(std::uint16_t);
  tensor::Tensor halves;
  halves.reset(datatype, tensor::Shape{static_cast<std::int64_t>(count)});
  if (count > 0) std::memcpy(halves.raw().data(), elements.data(), elements.size());
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<float*>(out)[i] = static_cast<float>(tensor::to_double(halves, i));
  }
}

void copy_validity(
    const DuckDb& library,
    const tensor::Column& column,
    std::size_t begin,
    std::size_t count,
    duckdb_vector vector
) {
  if (!column.has_nulls()) return;
  library.vector_ensure_validity_writable(vector);
  auto* bits = reinterpret_cast<std::uint8_t*>(library.vector_get_validity(vector));
  std::memcpy(bits, column.validity().data() + begin / 8, (count + 7) / 8);
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char letter : bytes) {
    if (static_cast<unsigned char>(letter) < 0x80) {
      text += letter;
    } else {
      fmt::format_to(std::back_inserter(text), "\\x{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return text;
}

void copy_texts(
    const DuckDb& library,
    const tensor::Column& column,
    std::size_t begin,
    std::size_t count,
    duckdb_vector vector
) {
  auto* texts = static_cast<duckdb_string_t*>(library.vector_get_data(vector));
  for (std::size_t i = 0; i < count; ++i) {
    if (column.is_null(begin + i)) continue;
    std::string_view text = column.text(begin + i);
    std::string replacement;
    if (!is_valid_utf8(text)) {
      replacement = escaped(text);
      text = replacement;
    }
    duckdb_string_t& target = texts[i];
    if (text.size() <= sizeof target.value.inlined.inlined) {
      // Short texts lie in the vector itself, padded with zeros.
      target = {};
      target.value.inlined.length = static_cast<std::uint32_t>(text.size());
      if (!text.empty()) std::memcpy(target.value.inlined.inlined, text.data(), text.size());
    } else {
      library.vector_assign_string_element_len(vector, i, text.data(), text.size());
    }
  }
}

void copy_lists(
    const DuckDb& library,
    const tensor::Column& column,
    std::size_t begin,
    std::size_t count,
    duckdb_vector vector
) {
  const DataType datatype = column.spec().datatype;
  const std::size_t element = tensor::element_size(datatype);
  const std::string_view first = column.text(begin);
  const std::string_view last = column.text(begin + count - 1);
  // The rows lie one after the other, nulls with no bytes at all.
  const std::string_view all(first.data(), static_cast<std::size_t>(last.end() - first.begin()));
  library.list_vector_reserve(vector, all.size() / element);
  library.list_vector_set_size(vector, all.size() / element);
  copy_elements(datatype, all, library.vector_get_data(library.list_vector_get_child(vector)));
  auto* entries = static_cast<duckdb_list_entry*>(library.vector_get_data(vector));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view row = column.text(begin + i);
    entries[i].offset = static_cast<std::size_t>(row.data() - all.data()) / element;
    entries[i].length = row.size() / element;
  }
}

}  // namespace

duckdb_logical_type make_logical_type(const DuckDb& library, const tensor::ColumnSpec& spec) {
  duckdb_logical_type element = library.create_logical_type(type_of(spec.datatype));
  if (!spec.is_list) return element;
  duckdb_logical_type list = library.create_list_type(element);
  library.destroy_logical_type(&element);
  return list;
}

void copy_column(
    const DuckDb& library,
    const tensor::Column& column,
    std::size_t begin,
    std::size_t count,
    duckdb_vector vector
) {
  CHECK(begin % 8 == 0, "validity bits are copied by whole bytes");
  if (count == 0) return;
  copy_validity(library, column, begin, count, vector);
  const tensor::ColumnSpec& spec = column.spec();
  if (spec.is_list) return copy_lists(library, column, begin, count, vector);
  if (spec.datatype == DataType::bytes) return copy_texts(library, column, begin, count, vector);
  const std::size_t element = tensor::element_size(spec.datatype);
  const auto* bytes = reinterpret_cast<const char*>(column.bytes().data());
  copy_elements(
      spec.datatype, {bytes + begin * element, count * element}, library.vector_get_data(vector)
  );
}

}  // namespace weir::table
