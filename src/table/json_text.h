#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "table/duckdb_library.h"
#include "table/json_type.h"
#include "table/worker.h"

// Values as JSON text:
//   numbers      JSON numbers with all their digits, decimals too; NaN and infinities are null
//   HUGEINT      a number up to 2^53, text beyond, as sums of integers can be that large
//   times        RFC 3339 in UTC, cut to microseconds; a DATE as "2026-11-24", a TIME as
//                "14:55:04.123456"; "infinity" and "-infinity"
//   INTERVAL     {"months": 1, "days": 2, "microseconds": 3}
//   BLOB         base64; BIT as text of 0 and 1; UUID and ENUM as text
//   JSON         as it is
//   LIST, ARRAY  an array; STRUCT an object; UNION the member's value; MAP an object when its
//                keys are text, otherwise an array of {"key": k, "value": v}

namespace weir::table {

// Text with quotes around it and the escapes that JSON wants. Requires: UTF-8.
void append_json_text(std::string& out, std::string_view text);

// Writes the rows of a result as objects. One thread at a time.
class JsonRows {
 public:
  static Result<JsonRows> create(const DuckDb& library, duckdb_result& result);

  // Columns of one name get a number: "a", "a_1", …
  const std::vector<ColumnInfo>& columns() const { return columns_; }

  // Makes `append` write rows of this chunk. The chunk must outlive the calls.
  void load(duckdb_data_chunk chunk);
  // {"a":1,"b":null}. Requires: load, row < the chunk's size.
  void append(std::size_t row, std::string& out);

 private:
  // A vector of the chunk and the vectors within it.
  struct View {
    const void* data = nullptr;
    const std::uint64_t* validity = nullptr;
    std::vector<View> children;
  };
  struct ColumnWriter {
    std::string key;  // "\"name\":"
    JsonType type;
    View view;
  };

  explicit JsonRows(const DuckDb& library) : library_(&library) {}
  void load(const JsonType& type, duckdb_vector vector, View& view);
  void write(const JsonType& type, const View& view, std::size_t row, std::string& out) const;
  void write_list(
      const JsonType& type, const View& view, std::size_t begin, std::size_t end, std::string& out
  ) const;
  void write_map(
      const JsonType& type, const View& view, std::size_t begin, std::size_t end, std::string& out
  ) const;
  void write_struct(const JsonType& type, const View& view, std::size_t row, std::string& out)
      const;

  const DuckDb* library_;
  std::vector<ColumnInfo> columns_;
  std::vector<ColumnWriter> writers_;
};

}  // namespace weir::table
