#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "table/duckdb_library.h"
#include "table/readable.h"

// An in-memory database of the worker process, made for one request and thrown away after it.

namespace weir::table {

class Prepared;

struct DatabaseOptions {
  std::uint64_t memory_bytes = 1ULL << 30;
  int threads = 2;
  std::string temp_folder;  // Empty: nothing is ever put on disk.
  std::uint64_t max_temp_bytes = 0;
};

// The error that a message of DuckDB means: its first words say what kind it is.
Error database_error(std::string_view message);

// The rows of a statement, one chunk at a time, so that a result need not fit into memory. Must
// not outlive its database. One thread at a time.
class Rows {
 public:
  Rows(const DuckDb& library, const duckdb_result& result) : library_(&library), result_(result) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();

  duckdb_result& result() { return result_; }
  // The next chunk, valid until the next call; nullptr at the end.
  Result<duckdb_data_chunk> next();

 private:
  const DuckDb* library_;
  duckdb_result result_;
  duckdb_data_chunk chunk_ = nullptr;
};

// Only `interrupt` may be called from another thread.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(
      const DuckDb& library, const DatabaseOptions& options
  );
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  duckdb_connection connection() { return connection_; }

  // Trusted statements, one after the other; returns the rows that the last one changed.
  Result<std::uint64_t> run(std::string_view sql);

  // From here on only `readable` is read, nothing can be loaded, attached or reconfigured.
  Result<void> lock_down(const Readable& readable);

  // The rows of one trusted statement.
  Result<std::unique_ptr<Rows>> read(std::string_view sql);

  // The rows of one statement that is not trusted: it must only read. By the type that the
  // database gives the statement, not by its text.
  Result<std::unique_ptr<Rows>> read_untrusted(std::string_view sql);

  // Ok when the text is one statement that only reads and gives rows that can be copied to a
  // file, so that it may stand within parentheses.
  // A PIVOT without a list of values is several statements for the database.
  enum class Pivots { allow, refuse };
  Result<void> check_untrusted(std::string_view sql, Pivots pivots = Pivots::allow);

  void interrupt() { library_->interrupt(connection_); }

 private:
  enum class Trust { ours, person };

  Database(const DuckDb& library, duckdb_database database, duckdb_connection connection)
      : library_(&library), database_(database), connection_(connection) {}

  Result<void> check_pivot(const std::string& sql, idx_t count);
  static Result<void> check_reads(const Prepared& prepared);
  Result<std::unique_ptr<Rows>> read_one(std::string_view sql, Trust trust);

  const DuckDb* library_;
  duckdb_database database_;
  duckdb_connection connection_;
};

}  // namespace weir::table
