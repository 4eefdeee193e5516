#include "table/column_copy.h"

#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

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

namespace {

// The elements of a list, NaN for those that are null; zero where there is no NaN.
std::vector<std::byte> with_missing(
    DataType datatype,
    const std::byte* elements,
    const std::uint64_t* validity,
    const duckdb_list_entry& entry
) {
  const std::size_t size = tensor::element_size(datatype);
  std::vector<std::byte> bytes(
      elements + entry.offset * size, elements + (entry.offset + entry.length) * size
  );
  constexpr float missing = std::numeric_limits<float>::quiet_NaN();
  constexpr double missing_double = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < entry.length; ++i) {
    const std::size_t bit = entry.offset + i;
    if ((validity[bit / 64] >> (bit % 64) & 1U) != 0) continue;
    std::byte* target = bytes.data() + i * size;
    std::memset(target, 0, size);
    if (datatype == DataType::fp32) std::memcpy(target, &missing, size);
    if (datatype == DataType::fp64) std::memcpy(target, &missing_double, size);
  }
  return bytes;
}

}  // namespace

Result<void> check_type(
    const DuckDb& library, duckdb_logical_type type, const tensor::ColumnSpec& spec
) {
  duckdb_type found = library.get_type_id(type);
  if (spec.is_list && found == DUCKDB_TYPE_LIST) {
    duckdb_logical_type child = library.list_type_child_type(type);
    found = library.get_type_id(child);
    library.destroy_logical_type(&child);
  } else if (spec.is_list) {
    found = DUCKDB_TYPE_INVALID;
  }
  if (found == type_of(spec.datatype) && !is_half(spec.datatype)) return {};
  return fail(
      Code::internal, "column '{}' does not come as {}", spec.name, tensor::to_string(spec.datatype)
  );
}

void append_vector(
    const DuckDb& library,
    duckdb_vector vector,
    std::size_t begin,
    std::size_t count,
    tensor::Column& column
) {
  const std::size_t end = begin + count;
  const std::uint64_t* validity = library.vector_get_validity(vector);
  const void* data = library.vector_get_data(vector);
  const tensor::ColumnSpec& spec = column.spec();
  const std::size_t element = tensor::element_size(spec.datatype);
  if (!spec.is_list && spec.datatype != DataType::bytes) {
    column.append(
        {static_cast<const std::byte*>(data) + begin * element, count * element}, validity, begin
    );
    return;
  }
  const auto is_null = [&](std::size_t row) {
    return validity != nullptr && (validity[row / 64] >> (row % 64) & 1U) == 0;
  };
  if (!spec.is_list) {
    const auto* texts = static_cast<const duckdb_string_t*>(data);
    for (std::size_t row = begin; row < end; ++row) {
      const duckdb_string_t& text = texts[row];
      const bool is_inlined = text.value.inlined.length <= sizeof text.value.inlined.inlined;
      const char* letters = is_inlined ? text.value.inlined.inlined : text.value.pointer.ptr;
      is_null(row) ? column.add_null() : column.add_text({letters, text.value.inlined.length});
    }
    return;
  }
  const auto* entries = static_cast<const duckdb_list_entry*>(data);
  const duckdb_vector child = library.list_vector_get_child(vector);
  const auto* elements = static_cast<const std::byte*>(library.vector_get_data(child));
  const std::uint64_t* element_validity = library.vector_get_validity(child);
  for (std::size_t row = begin; row < end; ++row) {
    if (is_null(row)) {
      column.add_null();
      continue;
    }
    const duckdb_list_entry& entry = entries[row];
    if (element_validity == nullptr) {
      column.add_list({elements + entry.offset * element, entry.length * element});
    } else {
      column.add_list(with_missing(spec.datatype, elements, element_validity, entry));
    }
  }
}

}  // namespace weir::table
