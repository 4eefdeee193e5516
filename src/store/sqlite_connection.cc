#include "store/sqlite_connection.h"

#include <sqlite3.h>

#include "base/check.h"

namespace weir::store {
namespace {

Code code_of(int status) {
  switch (status & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_FULL:
      return Code::exhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

// What a person can do about it.
std::string_view advice(int status) {
  switch (status & 0xFF) {
    case SQLITE_CORRUPT:
      return "; its bytes are damaged: restore it from a backup, or move it away to start afresh";
    case SQLITE_NOTADB:
      return "; it is not a SQLite file: move it away, or give another folder with --data";
    case SQLITE_FULL:
      return "; free some space on its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process is writing to it";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "; the file and its folder must be writable for this user";
    default:
      return "";
  }
}

tl::unexpected<Error> error_of(sqlite3* connection, int status) {
  const char* file = connection == nullptr ? nullptr : sqlite3_db_filename(connection, "main");
  return fail(
      code_of(status),
      "store '{}': {}{}",
      file == nullptr ? "" : file,
      connection == nullptr ? sqlite3_errstr(status) : sqlite3_errmsg(connection),
      advice(status)
  );
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}
void Connection::Close::operator()(sqlite3* connection) const {
  sqlite3_close(connection);
}

void Statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL, not an empty text.
  const char* data = text.data() == nullptr ? "" : text.data();
  const int status = sqlite3_bind_text64(
      statement_.get(), parameter, data, text.size(), SQLITE_STATIC, SQLITE_UTF8
  );
  CHECK(status == SQLITE_OK, "the parameter exists and the statement is reset");
}

void Statement::bind(int parameter, std::int64_t number) {
  CHECK(
      sqlite3_bind_int64(statement_.get(), parameter, number) == SQLITE_OK,
      "the parameter exists and the statement is reset"
  );
}

Result<bool> Statement::step() {
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) {
    reset();
    return false;
  }
  auto error = error_of(sqlite3_db_handle(statement_.get()), status);
  reset();
  return error;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string Statement::text(int column) const {
  const auto* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr
             ? std::string()
             : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

Result<Connection> Connection::open(
    const std::string& path, Mode mode, std::int64_t busy_timeout_ms
) {
  // NOMUTEX: the callers hold one of their own.
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == Mode::create ? SQLITE_OPEN_CREATE : 0);
  sqlite3* handle = nullptr;
  const int status = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Connection connection;
  connection.connection_.reset(handle);
  if (status != SQLITE_OK) {
    return fail(code_of(status), "store '{}': {}{}", path, sqlite3_errstr(status), advice(status));
  }
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout_ms));
  sqlite3_extended_result_codes(handle, 1);
  return connection;
}

Result<void> Connection::run(const char* sql) {
  const int status = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return error_of(connection_.get(), status);
  return {};
}

Result<std::int64_t> Connection::query_number(const char* sql) {
  Statement statement = TRY(prepare(sql));
  const bool has_row = TRY(statement.step());
  return has_row ? statement.number(0) : 0;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int status = sqlite3_prepare_v3(
      connection_.get(),
      sql.data(),
      static_cast<int>(sql.size()),
      SQLITE_PREPARE_PERSISTENT,
      &prepared,
      nullptr
  );
  Statement statement;
  statement.statement_.reset(prepared);
  if (status != SQLITE_OK) return error_of(connection_.get(), status);
  return statement;
}

std::int64_t Connection::changed_rows() const {
  return sqlite3_changes64(connection_.get());
}

}  // namespace weir::store
