#include "api/body.h"

#include <boost/json.hpp>

namespace weir::api {
namespace {

namespace json = boost::json;

Result<json::object> parse_object(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return json::object();
  boost::system::error_code error;
  json::parse_options limits;
  limits.max_depth = 16;
  json::value value = json::parse(json::string_view(body.data(), body.size()), error, {}, limits);
  if (error) return fail(Code::invalid_argument, "the body is not JSON: {}", error.message());
  if (!value.is_object()) return fail(Code::invalid_argument, "the body is not a JSON object");
  return std::move(value.as_object());
}

Result<std::string> text_of(std::string_view key, const json::value& value) {
  if (!value.is_string()) return fail(Code::invalid_argument, "'{}' is a text", key);
  return std::string(value.as_string());
}

tl::unexpected<Error> unknown(std::string_view key, std::string_view known) {
  return fail(Code::invalid_argument, "unknown key '{}'; the body may have {}", key, known);
}

}  // namespace

Result<MoveBody> read_move(std::string_view body) {
  MoveBody move;
  const json::object object = TRY(parse_object(body));
  for (const auto& [key, value] : object) {
    if (key == "full") {
      if (!value.is_bool()) return fail(Code::invalid_argument, "'full' is true or false");
      move.full = value.as_bool();
    } else if (key == "by") {
      move.by = TRY(text_of(key, value));
    } else if (key == "text") {
      move.text = TRY(text_of(key, value));
    } else {
      return unknown(key, "full, by, text");
    }
  }
  return move;
}

Result<SqlBody> read_sql(std::string_view body) {
  SqlBody sql;
  const json::object object = TRY(parse_object(body));
  for (const auto& [key, value] : object) {
    if (key == "query") {
      sql.query = TRY(text_of(key, value));
    } else if (key == "max_rows") {
      if (!value.is_int64() || value.as_int64() < 1) {
        return fail(Code::invalid_argument, "'max_rows' is a whole number from 1");
      }
      sql.max_rows = static_cast<std::uint64_t>(value.as_int64());
    } else {
      return unknown(key, "query, max_rows");
    }
  }
  if (sql.query.empty()) return fail(Code::invalid_argument, "'query' is missing");
  return sql;
}

Result<ExportBody> read_export_body(std::string_view body) {
  ExportBody wanted;
  const json::object object = TRY(parse_object(body));
  for (const auto& [key, value] : object) {
    if (key == "query") {
      wanted.query = TRY(text_of(key, value));
    } else if (key == "format") {
      wanted.format = TRY(text_of(key, value));
    } else {
      return unknown(key, "query, format");
    }
  }
  if (wanted.query.empty()) return fail(Code::invalid_argument, "'query' is missing");
  if (wanted.format != "parquet" && wanted.format != "csv" && wanted.format != "ndjson") {
    return fail(Code::invalid_argument, "'format' is parquet, csv or ndjson");
  }
  return wanted;
}

Result<EraseBody> read_erase(std::string_view body) {
  EraseBody erase;
  const json::object object = TRY(parse_object(body));
  for (const auto& [key, value] : object) {
    if (key == "key") {
      erase.key = TRY(text_of(key, value));
    } else if (key == "endpoint") {
      erase.endpoint = TRY(text_of(key, value));
    } else {
      return unknown(key, "key, endpoint");
    }
  }
  if (erase.key.empty()) return fail(Code::invalid_argument, "'key' is missing");
  return erase;
}

}  // namespace weir::api
