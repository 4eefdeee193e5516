#include "table/statement.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "table/database.h"

namespace weir::table {
namespace {

bool is_blank(char letter) {
  return std::isspace(static_cast<unsigned char>(letter)) != 0;
}

bool is_word(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

// Without the blanks and comments at its beginning. Empty when a comment does not end or holds
// another one: where such a one ends is not for us to guess, so the statement is refused.
std::string_view skip_blanks(std::string_view text) {
  for (;;) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    std::size_t end = std::string_view::npos;
    if (text.starts_with("--")) {
      end = text.find('\n');
    } else if (text.starts_with("/*")) {
      end = text.find("*/", 2);
      if (end != std::string_view::npos && text.find("/*", 2) < end) return {};
      if (end != std::string_view::npos) ++end;
    } else {
      return text;
    }
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

// Takes the word, in any case, from the beginning.
bool take_word(std::string_view& text, std::string_view word) {
  if (text.size() < word.size()) return false;
  if (text.size() > word.size() && is_word(text[word.size()])) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(text[i])) != word[i]) return false;
  }
  text = skip_blanks(text.substr(word.size()));
  return true;
}

}  // namespace

Result<duckdb_result> Prepared::execute() {
  duckdb_result result{};
  if (library_->execute_prepared_streaming(statement_, &result) == DuckDBSuccess) return result;
  const char* message = library_->result_error(&result);
  Error error = database_error(message == nullptr ? "Internal Error: no message" : message);
  library_->destroy_result(&result);
  return tl::unexpected(std::move(error));
}

Result<Statements> Statements::parse(
    const DuckDb& library, duckdb_connection connection, const std::string& sql
) {
  if (sql.find('\0') != std::string::npos) {
    return fail(Code::invalid_argument, "the SQL text holds a zero byte");
  }
  duckdb_extracted_statements extracted = nullptr;
  const idx_t count = library.extract_statements(connection, sql.c_str(), &extracted);
  Statements statements(library, connection, extracted, count);
  if (count == 0) {
    const char* message = library.extract_statements_error(extracted);
    if (message != nullptr) return tl::unexpected(database_error(message));
    return fail(Code::invalid_argument, "the SQL text holds no statement");
  }
  return statements;
}

Result<Prepared> Statements::prepare(idx_t index) {
  duckdb_prepared_statement statement = nullptr;
  const duckdb_state state =
      library_->prepare_extracted_statement(connection_, extracted_, index, &statement);
  Prepared prepared(*library_, statement);
  if (state == DuckDBSuccess) return prepared;
  const char* message = library_->prepare_error(statement);
  return tl::unexpected(database_error(message == nullptr ? "Internal Error: no message" : message)
  );
}

std::string_view to_string(duckdb_statement_type type) {
  constexpr std::array<std::string_view, 31> names = {
      "unknown statement",
      "SELECT",
      "INSERT",
      "UPDATE",
      "EXPLAIN",
      "DELETE",
      "PREPARE",
      "CREATE",
      "EXECUTE",
      "ALTER",
      "TRANSACTION",
      "COPY",
      "ANALYZE",
      "SET",
      "CREATE FUNCTION",
      "DROP",
      "EXPORT",
      "PRAGMA",
      "VACUUM",
      "CALL",
      "SET",
      "LOAD",
      "FROM",
      "LOAD",
      "PLAN",
      "ATTACH",
      "DETACH",
      "PIVOT",
      "COPY DATABASE",
      "UPDATE EXTENSIONS",
      "MERGE"};
  const auto index = static_cast<std::size_t>(type);
  return index < names.size() ? names[index] : names[0];
}

bool begins_like_reading(std::string_view sql) {
  constexpr std::array<std::string_view, 13> words = {
      "SELECT",
      "WITH",
      "FROM",
      "VALUES",
      "TABLE",
      "DESCRIBE",
      "DESC",
      "SUMMARIZE",
      "SHOW",
      "EXPLAIN",
      "PIVOT",
      "UNPIVOT",
      "("};
  const std::string_view text = skip_blanks(sql);
  return std::ranges::any_of(words, [&](std::string_view word) {
    std::string_view rest = text;
    return word == "(" ? text.starts_with('(') : take_word(rest, word);
  });
}

std::optional<Explained> split_explain(std::string_view sql) {
  std::string_view text = skip_blanks(sql);
  if (!take_word(text, "EXPLAIN")) return std::nullopt;
  if (text.starts_with('(')) {
    const std::size_t end = text.find(')');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view options = text.substr(1, end - 1);
    // Only words, so that the options cannot hold a statement.
    if (!std::ranges::all_of(options, [](char c) { return is_word(c) || c == ' ' || c == ','; })) {
      return std::nullopt;
    }
    return Explained{"EXPLAIN (" + std::string(options) + ")", skip_blanks(text.substr(end + 1))};
  }
  if (take_word(text, "ANALYZE")) return Explained{"EXPLAIN ANALYZE", text};
  return Explained{"EXPLAIN", text};
}

std::string_view without_end(std::string_view sql) {
  while (!sql.empty() && (is_blank(sql.back()) || sql.back() == ';')) sql.remove_suffix(1);
  return sql;
}

}  // namespace weir::table
