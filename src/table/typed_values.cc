#include "table/typed_values.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "table/sql_text.h"

namespace weir::table {
namespace {

using tensor::DataType;

struct SqlType {
  DataType datatype;
  std::string_view name;
};

constexpr std::array<SqlType, 12> sql_types = {
    {{DataType::boolean, "BOOLEAN"},
     {DataType::uint8, "UTINYINT"},
     {DataType::uint16, "USMALLINT"},
     {DataType::uint32, "UINTEGER"},
     {DataType::uint64, "UBIGINT"},
     {DataType::int8, "TINYINT"},
     {DataType::int16, "SMALLINT"},
     {DataType::int32, "INTEGER"},
     {DataType::int64, "BIGINT"},
     {DataType::fp32, "FLOAT"},
     {DataType::fp64, "DOUBLE"},
     {DataType::bytes, "VARCHAR"}}};

std::string_view sql_type(DataType datatype) {
  return std::ranges::find(sql_types, datatype, &SqlType::datatype)->name;
}

bool is_integer_type(std::string_view name) {
  return name.ends_with("INT") || name.ends_with("INTEGER");
}

bool is_number_type(std::string_view name) {
  return is_integer_type(name) || name == "FLOAT" || name == "DOUBLE" ||
         name.starts_with("DECIMAL");
}

// What a person reads: the column, the beginning of the value, and what is wrong with it.
std::string refusal(const TypedColumn& wanted, const std::string& place, std::string_view what) {
  const std::string head = literal("column '" + wanted.name + "': ");
  return fmt::format("{} || left({}::VARCHAR, 60) || ' {}'", head, place, what);
}

// The kinds of JSON value that a datatype takes.
std::string_view json_kinds(DataType datatype) {
  if (datatype == DataType::bytes) return "'VARCHAR'";
  if (datatype == DataType::boolean) return "'BOOLEAN'";
  return "'UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE'";
}

TypedValue list_value(
    FileFormat format, const std::string& place, const ColumnInfo& info, const TypedColumn& wanted
) {
  const std::string element(sql_type(read_as(wanted.datatype)));
  const bool is_exact = format == FileFormat::parquet && info.type == element + "[]";
  const std::string value = is_exact ? place : fmt::format("TRY_CAST({} AS {}[])", place, element);
  const bool may_be_missing = wanted.may_be_missing && tensor::is_floating(wanted.datatype);
  std::string reason = fmt::format(
      "CASE WHEN {} IS NULL OR {} IS DISTINCT FROM {} THEN {}",
      value,
      fmt::format("len({})", value),
      wanted.elements,
      literal(fmt::format(
          "column '{}' is no list of {} values of type {}",
          wanted.name,
          wanted.elements,
          tensor::to_string(wanted.datatype)
      ))
  );
  if (!may_be_missing) {
    const std::string missing =
        tensor::is_floating(wanted.datatype) ? "x IS NULL OR isnan(x)" : "x IS NULL";
    reason += fmt::format(
        " WHEN len(list_filter({}, x -> {})) > 0 THEN {}",
        value,
        missing,
        literal("column '" + wanted.name + "' has a missing value")
    );
  }
  return {value, reason + " END"};
}

// What the file holds, null where it holds nothing.
std::string present_value(FileFormat format, const std::string& place, DataType datatype) {
  // An empty field of a CSV is an empty text, but no number.
  if (format == FileFormat::csv && datatype == DataType::bytes) {
    return "coalesce(" + place + ", '')";
  }
  if (format == FileFormat::json || format == FileFormat::ndjson) {
    return "nullif(" + place + ", 'null'::JSON)";
  }
  return place;
}

}  // namespace

DataType read_as(DataType datatype) {
  const bool is_half = datatype == DataType::fp16 || datatype == DataType::bf16;
  return is_half ? DataType::fp32 : datatype;
}

std::optional<DataType> kept_datatype(std::string_view sql_type) {
  const auto found = std::ranges::find(sql_types, sql_type, &SqlType::name);
  if (found == sql_types.end()) return std::nullopt;
  return found->datatype;
}

std::string json_pointer(std::string_view name) {
  std::string pointer = "/";
  for (const char letter : name) {
    if (letter == '~') {
      pointer += "~0";
    } else if (letter == '/') {
      pointer += "~1";
    } else {
      pointer += letter;
    }
  }
  return pointer;
}

TypedValue typed_value(
    FileFormat format, const std::string& place, const ColumnInfo& info, const TypedColumn& wanted
) {
  if (wanted.elements > 0) return list_value(format, place, info, wanted);
  const DataType datatype = read_as(wanted.datatype);
  const std::string type(sql_type(datatype));
  const bool is_json = format == FileFormat::json || format == FileFormat::ndjson;
  const bool is_floating = tensor::is_floating(datatype);
  const std::string present = present_value(format, place, datatype);

  TypedValue typed;
  std::string kinds;  // JSON: whether the value is of a kind that fits.
  if (is_json) kinds = fmt::format("json_type({}) IN ({})", present, json_kinds(datatype));
  if (is_json && datatype == DataType::bytes) {
    typed.value = fmt::format("CASE WHEN {} THEN {} ->> '$' END", kinds, present);
  } else if (is_json) {
    typed.value = fmt::format("CASE WHEN {} THEN TRY_CAST({} AS {}) END", kinds, present, type);
  } else if (info.type == type) {
    typed.value = present;
  } else {
    typed.value = fmt::format("TRY_CAST({} AS {})", present, type);
  }

  std::string cases;
  const bool always_fits = !is_json && (info.type == type || datatype == DataType::bytes ||
                                        (is_floating && is_integer_type(info.type)));
  if (!always_fits) {
    const std::string what = fmt::format("is no {}", tensor::to_string(wanted.datatype));
    cases += fmt::format(
        " WHEN {} IS NOT NULL AND ({}) IS NULL THEN {}",
        present,
        typed.value,
        refusal(wanted, present, what)
    );
  }
  const bool may_have_fraction =
      !is_floating && is_number_type(type) && !is_integer_type(info.type);
  if (may_have_fraction) {
    cases += fmt::format(
        " WHEN TRY_CAST({} AS DOUBLE) <> ({})::DOUBLE THEN {}",
        present,
        typed.value,
        refusal(wanted, present, "is no whole number")
    );
  }
  const bool is_refused_when_missing = !is_floating || !wanted.may_be_missing;
  if (is_refused_when_missing && !(format == FileFormat::csv && datatype == DataType::bytes)) {
    cases += fmt::format(
        " WHEN {} IS NULL{} THEN {}",
        present,
        is_floating ? fmt::format(" OR isnan({})", typed.value) : "",
        literal("column '" + wanted.name + "' is missing")
    );
  }
  if (!cases.empty()) typed.reason = "CASE" + cases + " END";
  return typed;
}

}  // namespace weir::table
