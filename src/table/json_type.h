#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "table/duckdb_library.h"

// The types of columns, taken apart once for a result so that its values can be written quickly.

namespace weir::table {

// A type that DuckDB made, destroyed at the end. The library must outlive it.
class OwnedType {
 public:
  OwnedType(const DuckDb& library, duckdb_logical_type type) : library_(library), type_(type) {}
  OwnedType(const OwnedType&) = delete;
  OwnedType& operator=(const OwnedType&) = delete;
  ~OwnedType() { library_.destroy_logical_type(&type_); }
  duckdb_logical_type get() const { return type_; }

 private:
  const DuckDb& library_;
  duckdb_logical_type type_;
};

// How the values of one type are written, and those within them.
struct JsonType {
  duckdb_type id = DUCKDB_TYPE_INVALID;
  duckdb_type internal = DUCKDB_TYPE_INVALID;  // DECIMAL and ENUM: how they are stored.
  std::uint8_t width = 0;
  std::uint8_t scale = 0;
  bool is_json = false;
  std::uint64_t array_size = 0;
  std::vector<std::string> names;  // Members of STRUCT and UNION, values of ENUM.
  std::vector<JsonType> children;  // Element, key and value, members.
};

// Errors: invalid_argument for a type that has no JSON form; the message says how to cast.
Result<JsonType> json_type_of(
    const DuckDb& library, duckdb_logical_type type, std::string_view column
);
// As SQL writes it: "DECIMAL(10,2)", "VARCHAR[]".
std::string type_name(const JsonType& type);

}  // namespace weir::table
