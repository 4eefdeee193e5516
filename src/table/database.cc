#include "table/database.h"

#include <algorithm>
#include <array>

#include "table/sql_text.h"
#include "table/statement.h"

namespace weir::table {
namespace {

constexpr std::string_view only_reading =
    "here a statement may only read: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, "
    "EXPLAIN or PIVOT";

Result<void> set(
    const DuckDb& library, duckdb_config config, const char* name, const std::string& value
) {
  if (library.set_config(config, name, value.c_str()) == DuckDBSuccess) return {};
  return fail(Code::internal, "DuckDB does not know the setting {} = {}", name, value);
}

Result<void> configure(
    const DuckDb& library, duckdb_config config, const DatabaseOptions& options
) {
  TRY(set(library, config, "threads", std::to_string(options.threads)));
  TRY(set(library, config, "memory_limit", std::to_string(options.memory_bytes) + "B"));
  TRY(set(library, config, "autoinstall_known_extensions", "false"));
  TRY(set(library, config, "autoload_known_extensions", "false"));
  TRY(set(library, config, "allow_community_extensions", "false"));
  TRY(set(library, config, "allow_persistent_secrets", "false"));
  TRY(set(library, config, "temp_directory", options.temp_folder));
  return {};
}

Result<void> check_begin(std::string_view sql) {
  if (begins_like_reading(sql)) return {};
  if (without_end(sql).empty()) return fail(Code::invalid_argument, "the SQL text is empty");
  return fail(Code::invalid_argument, "{}", only_reading);
}

}  // namespace

Error database_error(std::string_view message) {
  struct Kind {
    std::string_view prefix;
    Code code;
  };
  // Everything else that DuckDB says is about the statement.
  constexpr std::array<Kind, 6> kinds = {
      {{"INTERRUPT Error", Code::deadline},
       {"Out of Memory Error", Code::exhausted},
       {"IO Error", Code::unavailable},
       {"INTERNAL Error", Code::internal},
       {"FATAL Error", Code::internal},
       {"TransactionContext Error", Code::internal}}};
  Code code = Code::invalid_argument;
  for (const Kind& kind : kinds) {
    if (message.starts_with(kind.prefix)) code = kind.code;
  }
  if (message.find("No space left") != std::string_view::npos) code = Code::exhausted;
  if (code == Code::unavailable && message.find("No files found") != std::string_view::npos) {
    code = Code::not_found;
  }
  return Error{code, std::string(message)};
}

Rows::~Rows() {
  if (chunk_ != nullptr) library_->destroy_data_chunk(&chunk_);
  library_->destroy_result(&result_);
}

Result<duckdb_data_chunk> Rows::next() {
  if (chunk_ != nullptr) library_->destroy_data_chunk(&chunk_);
  chunk_ = library_->fetch_chunk(result_);
  if (chunk_ != nullptr) return chunk_;
  const char* message = library_->result_error(&result_);
  if (message != nullptr && *message != '\0') return tl::unexpected(database_error(message));
  return nullptr;
}

Result<std::unique_ptr<Database>> Database::open(
    const DuckDb& library, const DatabaseOptions& options
) {
  duckdb_config config = nullptr;
  if (library.create_config(&config) != DuckDBSuccess) {
    return fail(Code::exhausted, "DuckDB cannot make a configuration: out of memory");
  }
  const Result<void> configured = configure(library, config, options);
  duckdb_database database = nullptr;
  char* message = nullptr;
  duckdb_state state = DuckDBError;
  if (configured) state = library.open_ext(nullptr, &database, config, &message);
  library.destroy_config(&config);
  if (!configured) return tl::unexpected(configured.error());
  if (state != DuckDBSuccess) {
    const std::string reason = message == nullptr ? "no reason given" : message;
    library.free(message);
    return fail(Code::unavailable, "DuckDB cannot open a database in memory: {}", reason);
  }
  duckdb_connection connection = nullptr;
  if (library.connect(database, &connection) != DuckDBSuccess) {
    library.close(&database);
    return fail(Code::unavailable, "DuckDB cannot connect to its own database");
  }
  std::unique_ptr<Database> opened(new Database(library, database, connection));
  if (!options.temp_folder.empty()) {
    // In the configuration above it would be shown but not kept to.
    TRY(opened->run(fmt::format("SET max_temp_directory_size = '{}B'", options.max_temp_bytes)));
  }
  return opened;
}

Database::~Database() {
  library_->disconnect(&connection_);
  library_->close(&database_);
}

Result<std::uint64_t> Database::run(std::string_view sql) {
  std::uint64_t changed = 0;
  if (without_end(sql).empty()) return changed;
  Statements statements = TRY(Statements::parse(*library_, connection_, std::string(sql)));
  for (idx_t i = 0; i < statements.count(); ++i) {
    Prepared prepared = TRY(statements.prepare(i));
    Rows rows(*library_, TRY(prepared.execute()));
    while (TRY(rows.next()) != nullptr) {
    }
    changed = library_->rows_changed(&rows.result());
  }
  return changed;
}

Result<void> Database::lock_down(const Readable& readable) {
  TRY(
      run("SET allowed_directories = " + literal_list(readable.folders()) +
          "; SET allowed_paths = " + literal_list(readable.files()) +
          "; SET enable_external_access = false; SET lock_configuration = true")
  );
  return {};
}

Result<std::unique_ptr<Rows>> Database::read(std::string_view sql) {
  return read_one(sql, Trust::ours);
}

Result<std::unique_ptr<Rows>> Database::read_untrusted(std::string_view sql) {
  TRY(check_begin(sql));
  if (const auto explained = split_explain(sql)) {
    // EXPLAIN ANALYZE runs what it explains, whatever that is, so the inner statement is checked
    // by itself, and what runs is this program's own EXPLAIN in front of exactly that text.
    if (explained->inner.starts_with('(')) {
      return fail(Code::invalid_argument, "write EXPLAIN without parentheses around the query");
    }
    TRY(check_untrusted(explained->inner, Pivots::refuse));
    return read_one(explained->prefix + "\n" + std::string(explained->inner), Trust::ours);
  }
  return read_one(sql, Trust::person);
}

Result<void> Database::check_untrusted(std::string_view sql, Pivots pivots) {
  TRY(check_begin(sql));
  const std::string text(without_end(sql));
  Statements statements = TRY(Statements::parse(*library_, connection_, text));
  if (statements.count() > 1 && pivots == Pivots::refuse) {
    return fail(
        Code::invalid_argument,
        "EXPLAIN takes one statement, and a PIVOT only with its values: ON x IN (…)"
    );
  }
  if (statements.count() > 1) return check_pivot(text, statements.count());
  return check_reads(TRY(statements.prepare(0)));
}

// A PIVOT without a list of values is taken apart into the making of a type and a SELECT. Within
// parentheses a text of several statements is no SQL, a PIVOT is.
Result<void> Database::check_pivot(const std::string& sql, idx_t count) {
  if (Statements::parse(*library_, connection_, "FROM (\n" + sql + "\n)")) return {};
  return fail(Code::invalid_argument, "one statement at a time, please: this text has {}", count);
}

Result<void> Database::check_reads(const Prepared& prepared) {
  if (prepared.type() != DUCKDB_STATEMENT_TYPE_SELECT) {
    return fail(Code::invalid_argument, "{}; this is {}", only_reading, to_string(prepared.type()));
  }
  if (prepared.has_parameters()) {
    return fail(
        Code::invalid_argument, "the statement has parameters ('?' or '$1'): write their values"
    );
  }
  return {};
}

Result<std::unique_ptr<Rows>> Database::read_one(std::string_view sql, Trust trust) {
  const std::string text(without_end(sql));
  Statements statements = TRY(Statements::parse(*library_, connection_, text));
  const idx_t last = statements.count() - 1;
  if (trust == Trust::person && last > 0) TRY(check_pivot(text, statements.count()));
  for (idx_t i = 0; i < last; ++i) {
    Prepared prepared = TRY(statements.prepare(i));
    if (trust == Trust::person && prepared.type() != DUCKDB_STATEMENT_TYPE_CREATE) {
      return fail(Code::invalid_argument, "{}", only_reading);
    }
    Rows rows(*library_, TRY(prepared.execute()));
    while (TRY(rows.next()) != nullptr) {
    }
  }
  Prepared prepared = TRY(statements.prepare(last));
  if (trust == Trust::person) TRY(check_reads(prepared));
  return std::make_unique<Rows>(*library_, TRY(prepared.execute()));
}

}  // namespace weir::table
