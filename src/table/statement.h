#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "table/duckdb_library.h"

// SQL text taken apart by the database's own parser.

namespace weir::table {

// A statement that is ready to run. One thread at a time.
class Prepared {
 public:
  Prepared(const DuckDb& library, duckdb_prepared_statement statement)
      : library_(&library), statement_(statement) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  Prepared(Prepared&& other) noexcept
      : library_(other.library_), statement_(std::exchange(other.statement_, nullptr)) {}
  ~Prepared() {
    if (statement_ != nullptr) library_->destroy_prepare(&statement_);
  }

  duckdb_statement_type type() const { return library_->prepared_statement_type(statement_); }
  bool has_parameters() const { return library_->nparams(statement_) > 0; }
  // The caller owns the result.
  Result<duckdb_result> execute();

 private:
  const DuckDb* library_;
  duckdb_prepared_statement statement_;
};

// The statements of a text, parsed but not yet prepared. One thread at a time.
class Statements {
 public:
  static Result<Statements> parse(
      const DuckDb& library, duckdb_connection connection, const std::string& sql
  );
  Statements(const Statements&) = delete;
  Statements& operator=(const Statements&) = delete;
  Statements(Statements&& other) noexcept
      : library_(other.library_),
        connection_(other.connection_),
        extracted_(std::exchange(other.extracted_, nullptr)),
        count_(other.count_) {}
  ~Statements() {
    if (extracted_ != nullptr) library_->destroy_extracted(&extracted_);
  }

  idx_t count() const { return count_; }
  // A statement may need those before it to have run.
  Result<Prepared> prepare(idx_t index);

 private:
  Statements(
      const DuckDb& library,
      duckdb_connection connection,
      duckdb_extracted_statements extracted,
      idx_t count
  )
      : library_(&library), connection_(connection), extracted_(extracted), count_(count) {}

  const DuckDb* library_;
  duckdb_connection connection_;
  duckdb_extracted_statements extracted_;
  idx_t count_;
};

// "SELECT", "COPY", … for messages.
std::string_view to_string(duckdb_statement_type type);

// Whether the text begins like a statement that reads: with one of a few words, behind blanks and
// comments. This is not the check of what a statement does, only a gate before it: some statements
// act already when they are prepared (EXPORT DATABASE makes its folder).
bool begins_like_reading(std::string_view sql);

// An EXPLAIN taken apart: `prefix` is "EXPLAIN" with its options as this program writes them,
// `inner` the text that follows. Nothing when the text does not begin with EXPLAIN.
struct Explained {
  std::string prefix;
  std::string_view inner;
};
std::optional<Explained> split_explain(std::string_view sql);

// Without blanks and semicolons at its end.
std::string_view without_end(std::string_view sql);

}  // namespace weir::table
