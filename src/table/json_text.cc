#include "table/json_text.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "table/json_value.h"

namespace weir::table {
namespace {

bool is_valid(const std::uint64_t* validity, std::size_t row) {
  return validity == nullptr || (validity[row / 64] >> (row % 64) & 1U) != 0;
}

std::string_view text_of(const duckdb_string_t& text) {
  constexpr std::uint32_t largest_inlined = 12;
  const std::uint32_t size = text.value.inlined.length;
  return {size <= largest_inlined ? text.value.inlined.inlined : text.value.pointer.ptr, size};
}

template <class T>
const T& at(const void* data, std::size_t row) {
  return static_cast<const T*>(data)[row];
}

duckdb_hugeint widened(std::int64_t value) {
  return {.lower = static_cast<std::uint64_t>(value), .upper = value < 0 ? -1 : 0};
}

// An integer of up to 64 bits, signed or not.
void append_integer(duckdb_type id, const void* data, std::size_t row, std::string& out) {
  switch (id) {
    case DUCKDB_TYPE_TINYINT:
      return append_json_number(out, std::int64_t{at<std::int8_t>(data, row)});
    case DUCKDB_TYPE_SMALLINT:
      return append_json_number(out, std::int64_t{at<std::int16_t>(data, row)});
    case DUCKDB_TYPE_INTEGER:
      return append_json_number(out, std::int64_t{at<std::int32_t>(data, row)});
    case DUCKDB_TYPE_BIGINT:
      return append_json_number(out, at<std::int64_t>(data, row));
    case DUCKDB_TYPE_UTINYINT:
      return append_json_number(out, std::uint64_t{at<std::uint8_t>(data, row)});
    case DUCKDB_TYPE_USMALLINT:
      return append_json_number(out, std::uint64_t{at<std::uint16_t>(data, row)});
    case DUCKDB_TYPE_UINTEGER:
      return append_json_number(out, std::uint64_t{at<std::uint32_t>(data, row)});
    default:
      return append_json_number(out, at<std::uint64_t>(data, row));
  }
}

// A time of any kind; false when the type is none.
bool append_time(duckdb_type id, const void* data, std::size_t row, std::string& out) {
  switch (id) {
    case DUCKDB_TYPE_DATE:
      append_json_date(out, at<std::int32_t>(data, row));
      return true;
    case DUCKDB_TYPE_TIME:
      append_json_time(out, at<std::int64_t>(data, row), 1'000'000);
      return true;
    case DUCKDB_TYPE_TIME_NS:
      append_json_time(out, at<std::int64_t>(data, row), 1'000'000'000);
      return true;
    case DUCKDB_TYPE_TIME_TZ:
      append_json_time_tz(out, at<std::uint64_t>(data, row));
      return true;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      append_json_timestamp(out, at<std::int64_t>(data, row), 1'000'000);
      return true;
    case DUCKDB_TYPE_TIMESTAMP_S:
      append_json_timestamp(out, at<std::int64_t>(data, row), 1);
      return true;
    case DUCKDB_TYPE_TIMESTAMP_MS:
      append_json_timestamp(out, at<std::int64_t>(data, row), 1'000);
      return true;
    case DUCKDB_TYPE_TIMESTAMP_NS:
      append_json_timestamp(out, at<std::int64_t>(data, row), 1'000'000'000);
      return true;
    case DUCKDB_TYPE_INTERVAL:
      append_json_interval(out, at<duckdb_interval>(data, row));
      return true;
    default:
      return false;
  }
}

void append_decimal(const JsonType& type, const void* data, std::size_t row, std::string& out) {
  duckdb_hugeint value{};
  switch (type.internal) {
    case DUCKDB_TYPE_SMALLINT:
      value = widened(at<std::int16_t>(data, row));
      break;
    case DUCKDB_TYPE_INTEGER:
      value = widened(at<std::int32_t>(data, row));
      break;
    case DUCKDB_TYPE_BIGINT:
      value = widened(at<std::int64_t>(data, row));
      break;
    default:
      value = at<duckdb_hugeint>(data, row);
  }
  append_json_decimal(out, value, type.scale);
}

std::size_t enum_index(duckdb_type internal, const void* data, std::size_t row) {
  if (internal == DUCKDB_TYPE_UTINYINT) return at<std::uint8_t>(data, row);
  if (internal == DUCKDB_TYPE_USMALLINT) return at<std::uint16_t>(data, row);
  return at<std::uint32_t>(data, row);
}

// The names of the columns, each only once.
std::vector<std::string> unique_names(const DuckDb& library, duckdb_result& result) {
  std::vector<std::string> names;
  std::set<std::string> used;
  for (idx_t i = 0; i < library.column_count(&result); ++i) {
    const std::string name = library.column_name(&result, i);
    std::string candidate = name;
    for (int number = 1; !used.insert(candidate).second; ++number) {
      candidate = fmt::format("{}_{}", name, number);
    }
    names.push_back(std::move(candidate));
  }
  return names;
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (letter == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(letter));
    } else {
      out += letter;
    }
  }
  out += '"';
}

Result<JsonRows> JsonRows::create(const DuckDb& library, duckdb_result& result) {
  JsonRows rows(library);
  const std::vector<std::string> names = unique_names(library, result);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const OwnedType type(library, library.column_logical_type(&result, i));
    ColumnWriter writer;
    writer.type = TRY(json_type_of(library, type.get(), names[i]));
    append_json_text(writer.key, names[i]);
    writer.key += ':';
    rows.columns_.push_back({names[i], type_name(writer.type)});
    rows.writers_.push_back(std::move(writer));
  }
  return rows;
}

void JsonRows::load(duckdb_data_chunk chunk) {
  for (std::size_t i = 0; i < writers_.size(); ++i) {
    load(writers_[i].type, library_->data_chunk_get_vector(chunk, i), writers_[i].view);
  }
}

void JsonRows::load(const JsonType& type, duckdb_vector vector, View& view) {
  view.data = library_->vector_get_data(vector);
  view.validity = library_->vector_get_validity(vector);
  view.children.resize(type.children.size());
  switch (type.id) {
    case DUCKDB_TYPE_LIST:
      return load(type.children[0], library_->list_vector_get_child(vector), view.children[0]);
    case DUCKDB_TYPE_ARRAY:
      return load(type.children[0], library_->array_vector_get_child(vector), view.children[0]);
    case DUCKDB_TYPE_MAP: {
      // A map is a list of structs of a key and a value.
      const duckdb_vector entries = library_->list_vector_get_child(vector);
      for (idx_t i = 0; i < 2; ++i) {
        const duckdb_vector member = library_->struct_vector_get_child(entries, i);
        load(type.children[i], member, view.children[i]);
      }
      return;
    }
    case DUCKDB_TYPE_STRUCT:
      for (idx_t i = 0; i < type.children.size(); ++i) {
        const duckdb_vector member = library_->struct_vector_get_child(vector, i);
        load(type.children[i], member, view.children[i]);
      }
      return;
    case DUCKDB_TYPE_UNION: {
      // A union is a struct whose first member says which of the others holds the value.
      const duckdb_vector tag = library_->struct_vector_get_child(vector, 0);
      view.data = library_->vector_get_data(tag);
      for (idx_t i = 0; i < type.children.size(); ++i) {
        const duckdb_vector member = library_->struct_vector_get_child(vector, i + 1);
        load(type.children[i], member, view.children[i]);
      }
      return;
    }
    default:
      return;
  }
}

void JsonRows::append(std::size_t row, std::string& out) {
  out += '{';
  bool is_first = true;
  for (const ColumnWriter& writer : writers_) {
    if (!is_first) out += ',';
    is_first = false;
    out += writer.key;
    write(writer.type, writer.view, row, out);
  }
  out += '}';
}

void JsonRows::write_list(
    const JsonType& type, const View& view, std::size_t begin, std::size_t end, std::string& out
) const {
  out += '[';
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin) out += ',';
    write(type.children[0], view.children[0], i, out);
  }
  out += ']';
}

void JsonRows::write_map(
    const JsonType& type, const View& view, std::size_t begin, std::size_t end, std::string& out
) const {
  const bool is_object = type.children[0].id == DUCKDB_TYPE_VARCHAR;
  out += is_object ? '{' : '[';
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin) out += ',';
    if (!is_object) out += R"({"key":)";
    write(type.children[0], view.children[0], i, out);
    out += is_object ? ":" : R"(,"value":)";
    write(type.children[1], view.children[1], i, out);
    if (!is_object) out += '}';
  }
  out += is_object ? '}' : ']';
}

void JsonRows::write_struct(
    const JsonType& type, const View& view, std::size_t row, std::string& out
) const {
  out += '{';
  for (std::size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) out += ',';
    append_json_text(out, type.names[i]);
    out += ':';
    write(type.children[i], view.children[i], row, out);
  }
  out += '}';
}

void JsonRows::write(const JsonType& type, const View& view, std::size_t row, std::string& out)
    const {
  if (!is_valid(view.validity, row)) {
    out += "null";
    return;
  }
  if (append_time(type.id, view.data, row, out)) return;
  switch (type.id) {
    case DUCKDB_TYPE_SQLNULL:
      out += "null";
      return;
    case DUCKDB_TYPE_BOOLEAN:
      out += at<bool>(view.data, row) ? "true" : "false";
      return;
    case DUCKDB_TYPE_FLOAT:
      return append_json_number(out, at<float>(view.data, row));
    case DUCKDB_TYPE_DOUBLE:
      return append_json_number(out, at<double>(view.data, row));
    case DUCKDB_TYPE_HUGEINT:
      return append_json_number(out, at<duckdb_hugeint>(view.data, row));
    case DUCKDB_TYPE_UHUGEINT:
      return append_json_number(out, at<duckdb_uhugeint>(view.data, row));
    case DUCKDB_TYPE_DECIMAL:
      return append_decimal(type, view.data, row, out);
    case DUCKDB_TYPE_VARCHAR: {
      const std::string_view text = text_of(at<duckdb_string_t>(view.data, row));
      return type.is_json ? void(out += text) : append_json_text(out, text);
    }
    case DUCKDB_TYPE_BLOB:
      return append_json_base64(out, text_of(at<duckdb_string_t>(view.data, row)));
    case DUCKDB_TYPE_BIT:
      return append_json_bits(out, text_of(at<duckdb_string_t>(view.data, row)));
    case DUCKDB_TYPE_UUID:
      return append_json_uuid(out, at<duckdb_hugeint>(view.data, row));
    case DUCKDB_TYPE_ENUM:
      return append_json_text(out, type.names[enum_index(type.internal, view.data, row)]);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_MAP: {
      const auto& entry = at<duckdb_list_entry>(view.data, row);
      const bool is_list = type.id == DUCKDB_TYPE_LIST;
      const auto append_entries = is_list ? &JsonRows::write_list : &JsonRows::write_map;
      return (this->*append_entries)(type, view, entry.offset, entry.offset + entry.length, out);
    }
    case DUCKDB_TYPE_ARRAY:
      return write_list(type, view, row * type.array_size, (row + 1) * type.array_size, out);
    case DUCKDB_TYPE_STRUCT:
      return write_struct(type, view, row, out);
    case DUCKDB_TYPE_UNION: {
      const std::size_t member = at<std::uint8_t>(view.data, row);
      return write(type.children[member], view.children[member], row, out);
    }
    default:
      return append_integer(type.id, view.data, row, out);
  }
}

}  // namespace weir::table
