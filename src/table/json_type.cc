#include "table/json_type.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace weir::table {
namespace {

// Takes a text that DuckDB allocated.
std::string take(const DuckDb& library, char* text) {
  std::string copy = text == nullptr ? "" : text;
  library.free(text);
  return copy;
}

struct SimpleType {
  duckdb_type id;
  std::string_view name;
};

constexpr std::array<SimpleType, 31> simple_types = {
    {{DUCKDB_TYPE_BOOLEAN, "BOOLEAN"},
     {DUCKDB_TYPE_TINYINT, "TINYINT"},
     {DUCKDB_TYPE_SMALLINT, "SMALLINT"},
     {DUCKDB_TYPE_INTEGER, "INTEGER"},
     {DUCKDB_TYPE_BIGINT, "BIGINT"},
     {DUCKDB_TYPE_UTINYINT, "UTINYINT"},
     {DUCKDB_TYPE_USMALLINT, "USMALLINT"},
     {DUCKDB_TYPE_UINTEGER, "UINTEGER"},
     {DUCKDB_TYPE_UBIGINT, "UBIGINT"},
     {DUCKDB_TYPE_HUGEINT, "HUGEINT"},
     {DUCKDB_TYPE_UHUGEINT, "UHUGEINT"},
     {DUCKDB_TYPE_FLOAT, "FLOAT"},
     {DUCKDB_TYPE_DOUBLE, "DOUBLE"},
     {DUCKDB_TYPE_VARCHAR, "VARCHAR"},
     {DUCKDB_TYPE_BLOB, "BLOB"},
     {DUCKDB_TYPE_BIT, "BIT"},
     {DUCKDB_TYPE_UUID, "UUID"},
     {DUCKDB_TYPE_DATE, "DATE"},
     {DUCKDB_TYPE_TIME, "TIME"},
     {DUCKDB_TYPE_TIME_NS, "TIME_NS"},
     {DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE"},
     {DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP"},
     {DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S"},
     {DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS"},
     {DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS"},
     {DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"},
     {DUCKDB_TYPE_INTERVAL, "INTERVAL"},
     {DUCKDB_TYPE_SQLNULL, "NULL"},
     {DUCKDB_TYPE_ENUM, "ENUM"},
     {DUCKDB_TYPE_MAP, "MAP"},
     {DUCKDB_TYPE_UNION, "UNION"}}};

// Fills `json.children` and `json.names` of a type that holds others.
Result<void> add_members(
    const DuckDb& library, duckdb_logical_type type, std::string_view column, JsonType& json
) {
  const auto add = [&](duckdb_logical_type child) -> Result<void> {
    const OwnedType owned(library, child);
    json.children.push_back(TRY(json_type_of(library, owned.get(), column)));
    return {};
  };
  switch (json.id) {
    case DUCKDB_TYPE_LIST:
      return add(library.list_type_child_type(type));
    case DUCKDB_TYPE_ARRAY:
      json.array_size = library.array_type_array_size(type);
      return add(library.array_type_child_type(type));
    case DUCKDB_TYPE_MAP:
      TRY(add(library.map_type_key_type(type)));
      return add(library.map_type_value_type(type));
    case DUCKDB_TYPE_STRUCT:
      for (idx_t i = 0; i < library.struct_type_child_count(type); ++i) {
        json.names.push_back(take(library, library.struct_type_child_name(type, i)));
        TRY(add(library.struct_type_child_type(type, i)));
      }
      return {};
    case DUCKDB_TYPE_UNION:
      for (idx_t i = 0; i < library.union_type_member_count(type); ++i) {
        json.names.push_back(take(library, library.union_type_member_name(type, i)));
        TRY(add(library.union_type_member_type(type, i)));
      }
      return {};
    default:
      return {};
  }
}

bool has_json_form(duckdb_type id) {
  return id == DUCKDB_TYPE_DECIMAL || id == DUCKDB_TYPE_LIST || id == DUCKDB_TYPE_ARRAY ||
         id == DUCKDB_TYPE_STRUCT ||
         std::ranges::any_of(simple_types, [&](const SimpleType& t) { return t.id == id; });
}

}  // namespace

Result<JsonType> json_type_of(
    const DuckDb& library, duckdb_logical_type type, std::string_view column
) {
  JsonType json;
  json.id = library.get_type_id(type);
  if (!has_json_form(json.id)) {
    return fail(
        Code::invalid_argument,
        "column '{}' has a type that cannot be written as JSON; write \"{}\"::VARCHAR instead",
        column,
        column
    );
  }
  if (json.id == DUCKDB_TYPE_DECIMAL) {
    json.width = library.decimal_width(type);
    json.scale = library.decimal_scale(type);
    json.internal = library.decimal_internal_type(type);
  }
  if (json.id == DUCKDB_TYPE_ENUM) {
    json.internal = library.enum_internal_type(type);
    for (std::uint32_t i = 0; i < library.enum_dictionary_size(type); ++i) {
      json.names.push_back(take(library, library.enum_dictionary_value(type, i)));
    }
  }
  if (json.id == DUCKDB_TYPE_VARCHAR) {
    json.is_json = take(library, library.logical_type_get_alias(type)) == "JSON";
  }
  TRY(add_members(library, type, column, json));
  return json;
}

std::string type_name(const JsonType& type) {
  switch (type.id) {
    case DUCKDB_TYPE_DECIMAL:
      return fmt::format("DECIMAL({},{})", type.width, type.scale);
    case DUCKDB_TYPE_LIST:
      return type_name(type.children[0]) + "[]";
    case DUCKDB_TYPE_ARRAY:
      return fmt::format("{}[{}]", type_name(type.children[0]), type.array_size);
    case DUCKDB_TYPE_MAP:
      return fmt::format("MAP({}, {})", type_name(type.children[0]), type_name(type.children[1]));
    case DUCKDB_TYPE_STRUCT: {
      std::string name = "STRUCT(";
      for (std::size_t i = 0; i < type.children.size(); ++i) {
        if (i > 0) name += ", ";
        name += type.names[i] + " " + type_name(type.children[i]);
      }
      return name + ")";
    }
    default:
      break;
  }
  if (type.is_json) return "JSON";
  for (const SimpleType& simple : simple_types) {
    if (simple.id == type.id) return std::string(simple.name);
  }
  return "UNKNOWN";
}

}  // namespace weir::table
