#include <array>
#include <cerrno>
#include <cstdio>
#include <mutex>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace weir::store {
namespace {

// "Weir": tells our files from other SQLite files.
constexpr std::int64_t application_id = 0x57656972;

// The steps that lead from each format to the next; an empty file has format 0. A step, once
// released, never changes.
constexpr std::array upgrades = {
    "CREATE TABLE document (collection TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,"
    " revision INTEGER NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (collection, key))"
    " WITHOUT ROWID;"
    "CREATE TABLE entry (log TEXT NOT NULL, sequence INTEGER NOT NULL, json TEXT NOT NULL,"
    " checksum INTEGER NOT NULL, PRIMARY KEY (log, sequence)) WITHOUT ROWID;",
};
constexpr auto newest_format = static_cast<std::int64_t>(upgrades.size());

// SQLite does not notice a changed byte inside a text; this does.
std::int64_t checksum(std::string_view name, std::string_view json) {
  return static_cast<std::int64_t>(hash64(json, hash64(name)));
}

std::string entry_name(std::string_view log, std::int64_t sequence) {
  return fmt::format("{}/{}", log, sequence);
}

std::string document_name(std::string_view collection, std::string_view key) {
  return fmt::format("{}/{}", collection, key);
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

Result<void> sync_file(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const Error error = system_error("sync", path);
  if (descriptor >= 0) close(descriptor);
  if (!synced) return tl::unexpected(error);
  return {};
}

// Brings the file to the newest format, in one transaction.
Result<void> upgrade(Connection& connection) {
  TRY(connection.run("BEGIN IMMEDIATE"));
  // Read under the lock: another process may have done it meanwhile.
  const std::int64_t format = TRY(connection.query_number("PRAGMA user_version"));
  for (auto i = static_cast<std::size_t>(format); i < upgrades.size(); ++i) {
    TRY(connection.run(upgrades.at(i)));
  }
  const std::string marks = fmt::format(
      "PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", application_id, newest_format
  );
  return connection.run(marks.c_str());
}

// Writes an empty store under another name without syncs, then syncs it once and renames it: quick,
// and a power cut leaves a whole store or none.
Result<void> create_file(const std::string& path) {
  const std::string temporary = path + ".new";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    unlink((temporary + suffix).c_str());
  }
  // The log of a store that somebody deleted would be replayed into the new one.
  for (const char* suffix : {"-wal", "-shm"}) unlink((path + suffix).c_str());
  {
    Connection connection = TRY(Connection::open(temporary, Connection::Mode::create, 0));
    TRY(connection.run("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL"));
    TRY(upgrade(connection));
  }
  TRY(sync_file(temporary));
  // Not rename(): if two processes start at once, the second must not replace the first one's file.
  if (link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    TRY(system_files().rename(temporary, path));
  }
  // The folder is not synced here: SQLite does it with the first commit to the new log, and before
  // that there is nothing to lose.
  unlink(temporary.c_str());
  return {};
}

Result<void> check_format(Connection& connection, const std::string& path) {
  const std::int64_t id = TRY(connection.query_number("PRAGMA application_id"));
  const std::int64_t format = TRY(connection.query_number("PRAGMA user_version"));
  if (id != application_id) {
    return fail(
        Code::corrupt,
        "'{}' is a SQLite file but not a store of Weir; move it away, or give another folder with "
        "--data",
        path
    );
  }
  if (format > newest_format) {
    return fail(
        Code::conflict,
        "store '{}' has format {}, this program reads up to {}; run the newer program that wrote "
        "it, or give another folder with --data",
        path,
        format,
        newest_format
    );
  }
  if (format < 1)
    return fail(Code::corrupt, "store '{}' has the impossible format {}", path, format);
  return format == newest_format ? Result<void>() : upgrade(connection);
}

class SqliteStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path, const Options& options);

  Result<void> commit(const Transaction& transaction) override;
  Result<std::optional<Document>> get(std::string_view collection, std::string_view key)
      const override;
  Result<std::vector<Document>> list(std::string_view collection) const override;
  Result<std::vector<LogEntry>> read(std::string_view log, std::int64_t after, std::size_t limit)
      const override;
  Result<std::vector<LogEntry>> last(std::string_view log, std::size_t limit) const override;

 private:
  SqliteStore(std::string path, const Options& options, Connection connection)
      : path_(std::move(path)), options_(options), connection_(std::move(connection)) {}

  Result<void> prepare();
  Result<void> check(const Transaction::Change& change) const;
  // These require that the mutex is held and a transaction is open.
  Result<void> apply(const Transaction::Change& change);
  Result<void> expect_revision(const Transaction::Change& change);
  Result<std::vector<LogEntry>> read_entries(Statement& statement, std::string_view log) const;
  Result<Document> checked_document(
      std::string_view collection, Document document, std::int64_t sum
  ) const;

  const std::string path_;
  const Options options_;
  mutable std::mutex mutex_;
  Connection connection_;
  mutable Statement begin_, commit_, rollback_, get_, list_, put_, remove_, append_, read_, last_;
  mutable Statement revision_;
};

Result<std::unique_ptr<Store>> SqliteStore::open(const std::string& path, const Options& options) {
  if (!exists(path)) TRY(create_file(path));
  Connection connection =
      TRY(Connection::open(path, Connection::Mode::open_existing, options.busy_timeout_ms));
  TRY(check_format(connection, path));
  // WAL stands in the file since its creation; FULL syncs the log at every commit.
  TRY(connection.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, options, std::move(connection)));
  TRY(store->prepare());
  return std::unique_ptr<Store>(std::move(store));
}

Result<void> SqliteStore::prepare() {
  begin_ = TRY(connection_.prepare("BEGIN IMMEDIATE"));
  commit_ = TRY(connection_.prepare("COMMIT"));
  rollback_ = TRY(connection_.prepare("ROLLBACK"));
  get_ = TRY(connection_.prepare(
      "SELECT json, revision, checksum FROM document WHERE collection = ? AND key = ?"
  ));
  revision_ =
      TRY(connection_.prepare("SELECT revision FROM document WHERE collection = ? AND key = ?"));
  list_ = TRY(connection_.prepare(
      "SELECT key, json, revision, checksum FROM document WHERE collection = ? ORDER BY key"
  ));
  put_ = TRY(connection_.prepare(
      "INSERT INTO document (collection, key, json, revision, checksum) VALUES (?, ?, ?, 1, ?)"
      " ON CONFLICT (collection, key) DO UPDATE SET json = excluded.json,"
      " revision = revision + 1, checksum = excluded.checksum"
  ));
  remove_ = TRY(connection_.prepare("DELETE FROM document WHERE collection = ? AND key = ?"));
  append_ = TRY(
      connection_.prepare("INSERT INTO entry (log, sequence, json, checksum) VALUES (?, ?, ?, ?)")
  );
  read_ = TRY(connection_.prepare(
      "SELECT sequence, json, checksum FROM entry WHERE log = ? AND sequence > ?"
      " ORDER BY sequence LIMIT ?"
  ));
  last_ = TRY(
      connection_.prepare("SELECT sequence, json, checksum FROM (SELECT * FROM entry WHERE log = ?"
                          " ORDER BY sequence DESC LIMIT ?) ORDER BY sequence")
  );
  return {};
}

Result<void> SqliteStore::check(const Transaction::Change& change) const {
  const bool has_key = change.action != Transaction::Action::append;
  for (const std::string* name : {&change.place, has_key ? &change.key : &change.place}) {
    if (name->empty() || name->size() > options_.max_name_bytes) {
      return fail(
          Code::invalid_argument,
          "a name of {} bytes in the store; it must have 1 to {}",
          name->size(),
          options_.max_name_bytes
      );
    }
  }
  if (change.json.size() > options_.max_json_bytes) {
    return fail(
        Code::invalid_argument,
        "'{}/{}' has {} bytes, the store takes at most {}",
        change.place,
        change.key,
        change.json.size(),
        options_.max_json_bytes
    );
  }
  return {};
}

Result<void> SqliteStore::commit(const Transaction& transaction) {
  if (transaction.empty()) return {};
  for (const auto& change : transaction.changes()) TRY(check(change));
  const std::lock_guard lock(mutex_);
  TRY(begin_.step());
  Result<void> done;
  for (const auto& change : transaction.changes()) {
    done = apply(change);
    if (!done) break;
  }
  if (done) {
    auto committed = commit_.step();
    if (committed) return {};
    done = tl::unexpected(std::move(committed).error());
  }
  // Some errors, such as a full disk, have rolled back already; a second time does no harm.
  [[maybe_unused]] const auto ignored = rollback_.step();
  return done;
}

Result<void> SqliteStore::expect_revision(const Transaction::Change& change) {
  if (change.expected_revision == Transaction::any_revision) return {};
  revision_.bind(1, change.place);
  revision_.bind(2, change.key);
  const bool found = TRY(revision_.step());
  const std::int64_t revision = found ? revision_.number(0) : Transaction::must_not_exist;
  revision_.reset();
  if (revision == change.expected_revision) return {};
  return fail(
      Code::conflict,
      "'{}/{}' has been changed meanwhile: it is at revision {}, expected {}; read it again",
      change.place,
      change.key,
      revision,
      change.expected_revision
  );
}

Result<void> SqliteStore::apply(const Transaction::Change& change) {
  switch (change.action) {
    case Transaction::Action::put: {
      TRY(expect_revision(change));
      put_.bind(1, change.place);
      put_.bind(2, change.key);
      put_.bind(3, change.json);
      put_.bind(4, checksum(document_name(change.place, change.key), change.json));
      TRY(put_.step());
      return {};
    }
    case Transaction::Action::remove: {
      TRY(expect_revision(change));
      remove_.bind(1, change.place);
      remove_.bind(2, change.key);
      TRY(remove_.step());
      return {};
    }
    case Transaction::Action::append: {
      last_.bind(1, change.place);
      last_.bind(2, std::int64_t{1});
      const bool found = TRY(last_.step());
      const std::int64_t sequence = found ? last_.number(0) + 1 : 1;
      last_.reset();
      append_.bind(1, change.place);
      append_.bind(2, sequence);
      append_.bind(3, change.json);
      append_.bind(4, checksum(entry_name(change.place, sequence), change.json));
      TRY(append_.step());
      return {};
    }
  }
  return {};
}

Result<Document> SqliteStore::checked_document(
    std::string_view collection, Document document, std::int64_t sum
) const {
  if (sum == checksum(document_name(collection, document.key), document.json)) return document;
  return fail(
      Code::corrupt,
      "store '{}': the document '{}/{}' is not what was written; restore the file from a backup",
      path_,
      collection,
      document.key
  );
}

Result<std::optional<Document>> SqliteStore::get(std::string_view collection, std::string_view key)
    const {
  const std::lock_guard lock(mutex_);
  get_.bind(1, collection);
  get_.bind(2, key);
  const bool found = TRY(get_.step());
  if (!found) return std::optional<Document>();
  Document document{std::string(key), get_.text(0), get_.number(1)};
  const std::int64_t sum = get_.number(2);
  get_.reset();
  return std::optional(TRY(checked_document(collection, std::move(document), sum)));
}

Result<std::vector<Document>> SqliteStore::list(std::string_view collection) const {
  const std::lock_guard lock(mutex_);
  std::vector<Document> result;
  list_.bind(1, collection);
  while (TRY(list_.step())) {
    Document document{list_.text(0), list_.text(1), list_.number(2)};
    auto checked = checked_document(collection, std::move(document), list_.number(3));
    if (!checked) {
      list_.reset();
      return tl::unexpected(std::move(checked).error());
    }
    result.push_back(std::move(*checked));
  }
  return result;
}

Result<std::vector<LogEntry>> SqliteStore::read_entries(Statement& statement, std::string_view log)
    const {
  std::vector<LogEntry> result;
  while (TRY(statement.step())) {
    LogEntry entry{statement.number(0), statement.text(1)};
    if (statement.number(2) != checksum(entry_name(log, entry.sequence), entry.json)) {
      statement.reset();
      return fail(
          Code::corrupt,
          "store '{}': entry {} of the log '{}' is not what was written; restore the file from a "
          "backup",
          path_,
          entry.sequence,
          log
      );
    }
    result.push_back(std::move(entry));
  }
  return result;
}

// SQLite counts in 64 bits with a sign.
std::int64_t as_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, INT64_MAX));
}

Result<std::vector<LogEntry>> SqliteStore::read(
    std::string_view log, std::int64_t after, std::size_t limit
) const {
  const std::lock_guard lock(mutex_);
  read_.bind(1, log);
  read_.bind(2, after);
  read_.bind(3, as_limit(limit));
  return read_entries(read_, log);
}

Result<std::vector<LogEntry>> SqliteStore::last(std::string_view log, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  last_.bind(1, log);
  last_.bind(2, as_limit(limit));
  return read_entries(last_, log);
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const Store::Options& options) {
  return SqliteStore::open(path, options);
}

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path) {
  return SqliteStore::open(path, Store::Options{});
}

}  // namespace weir::store
