#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Where the control plane keeps what must survive a restart: documents in collections, entries in
// append-only logs, changed together or not at all. It knows nothing of what they mean.

namespace weir::store {

// A JSON text under a key.
struct Document {
  std::string key;
  std::string json;
  std::int64_t revision = 0;  // 1 when created, one more with every change.
};

struct LogEntry {
  std::int64_t sequence = 0;  // Grows within a log; 1 is the first ever written.
  std::string json;
};

// Changes that happen all together or not at all. Plain data, in the order of the calls.
class Transaction {
 public:
  // Any revision; the document may or may not exist.
  static constexpr std::int64_t any_revision = -1;
  // The document must not exist.
  static constexpr std::int64_t must_not_exist = 0;

  enum class Action : std::uint8_t { put, remove, append };
  struct Change {
    Action action;
    std::string place;  // The collection or the log.
    std::string key;    // Empty for append.
    std::string json;   // Empty for remove.
    std::int64_t expected_revision = any_revision;
  };

  Transaction& put(
      std::string_view collection,
      std::string_view key,
      std::string_view json,
      std::int64_t expected_revision = any_revision
  );
  // Removing what is not there is fine with any_revision and a conflict otherwise.
  Transaction& remove(
      std::string_view collection,
      std::string_view key,
      std::int64_t expected_revision = any_revision
  );
  Transaction& append(std::string_view log, std::string_view json);

  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }

 private:
  std::vector<Change> changes_;
};

// Thread-safe. Reads see the last commit. When a commit has returned, its changes are on the
// device.
class Store {
 public:
  struct Options {
    std::size_t max_json_bytes = 16 << 20;  // Of one document or log entry.
    std::size_t max_name_bytes = 1024;      // Of a collection, key or log; none may be empty.
    std::int64_t busy_timeout_ms = 2000;    // Waiting for another process that writes.
  };

  virtual ~Store() = default;

  // Applies all changes or none. A revision that is not the expected one is a conflict that names
  // the document. An empty transaction does nothing.
  virtual Result<void> commit(const Transaction& transaction) = 0;

  virtual Result<std::optional<Document>> get(std::string_view collection, std::string_view key)
      const = 0;
  // All documents of a collection, ordered by the bytes of their keys.
  virtual Result<std::vector<Document>> list(std::string_view collection) const = 0;
  // Entries with a sequence above `after`, oldest first, at most `limit`.
  virtual Result<std::vector<LogEntry>> read(
      std::string_view log, std::int64_t after, std::size_t limit
  ) const = 0;
  // The newest `limit` entries, oldest first.
  virtual Result<std::vector<LogEntry>> last(std::string_view log, std::size_t limit) const = 0;

  // Transactions of one change.
  Result<void> put(std::string_view collection, std::string_view key, std::string_view json);
  Result<void> remove(std::string_view collection, std::string_view key);
  Result<void> append(std::string_view log, std::string_view json);
};

// A SQLite file, made when it does not exist (its folder must). One connection behind a mutex; WAL
// and a sync at every commit. An older format is upgraded; a newer one, or a file that is something
// else, is refused and left as it is; bytes that are not what was written are `corrupt`.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const Store::Options& options);
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path);

}  // namespace weir::store
