#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "table/file_format.h"
#include "table/typed_file.h"

// SQL that turns a value of a file into a wanted type, or says why it cannot.

namespace weir::table {

struct TypedValue {
  std::string value;   // The value, null where it is missing or not of the type.
  std::string reason;  // Text where the value is refused, else null; empty: it is never refused.
};

// `place` is the SQL of the value in its row, `info` the column of the file.
TypedValue typed_value(
    FileFormat format, const std::string& place, const ColumnInfo& info, const TypedColumn& wanted
);

// A row of JSON that is no object.
inline constexpr std::string_view no_object_reason =
    "CASE WHEN json IS NULL THEN 'the line is no JSON' WHEN json_type(json) <> 'OBJECT' THEN 'the "
    "line is no JSON object' END";

// Half precision is read as FP32.
tensor::DataType read_as(tensor::DataType datatype);

// The datatype that holds a kept column as it is; nothing when text has to carry it.
std::optional<tensor::DataType> kept_datatype(std::string_view sql_type);

// "/name" with the escapes of a JSON pointer.
std::string json_pointer(std::string_view name);

}  // namespace weir::table
