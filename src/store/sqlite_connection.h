#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

// SQLite's C interface as values that clean up after themselves and errors that name the file. One
// thread at a time.

namespace weir::store {

// A prepared statement, kept and run again. Parameters count from 1, columns from 0; texts that are
// bound must live until reset().
class Statement {
 public:
  Statement() = default;

  void bind(int parameter, std::string_view text);
  void bind(int parameter, std::int64_t number);
  // True when there is a row. After an error or the last row it is reset.
  Result<bool> step();
  void reset();

  // Of the present row.
  std::string text(int column) const;
  std::int64_t number(int column) const;

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// The statements must go before their connection.
class Connection {
 public:
  enum class Mode : std::uint8_t { open_existing, create };
  static Result<Connection> open(const std::string& path, Mode mode, std::int64_t busy_timeout_ms);

  // Runs statements without results.
  Result<void> run(const char* sql);
  // The first number of the first row.
  Result<std::int64_t> query_number(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  std::int64_t changed_rows() const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace weir::store
