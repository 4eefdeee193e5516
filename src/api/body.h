#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// The bodies that clients send to the control API. Unknown keys are errors that name the known
// ones.

namespace weir::api {

// POST promote, pause, resume, rollback; an empty body is all defaults.
struct MoveBody {
  bool full = false;  // promote: to the end.
  std::string by;     // Who.
  std::string text;   // Why.
};
Result<MoveBody> read_move(std::string_view body);

// POST /sql
struct SqlBody {
  std::string query;
  std::uint64_t max_rows = 0;  // 0: the server's own.
};
Result<SqlBody> read_sql(std::string_view body);

// POST /exports
struct ExportBody {
  std::string query;
  std::string format = "parquet";  // parquet, csv, ndjson
};
Result<ExportBody> read_export_body(std::string_view body);

// POST /ledger/erase
struct EraseBody {
  std::string key;
  std::optional<std::string> endpoint;
};
Result<EraseBody> read_erase(std::string_view body);

}  // namespace weir::api
