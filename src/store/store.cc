#include "store/store.h"

namespace weir::store {

Transaction& Transaction::put(
    std::string_view collection,
    std::string_view key,
    std::string_view json,
    std::int64_t expected_revision
) {
  changes_.push_back(
      {Action::put, std::string(collection), std::string(key), std::string(json), expected_revision}
  );
  return *this;
}

Transaction& Transaction::remove(
    std::string_view collection, std::string_view key, std::int64_t expected_revision
) {
  changes_.push_back(
      {Action::remove, std::string(collection), std::string(key), {}, expected_revision}
  );
  return *this;
}

Transaction& Transaction::append(std::string_view log, std::string_view json) {
  changes_.push_back({Action::append, std::string(log), {}, std::string(json)});
  return *this;
}

Result<void> Store::put(std::string_view collection, std::string_view key, std::string_view json) {
  return commit(Transaction().put(collection, key, json));
}

Result<void> Store::remove(std::string_view collection, std::string_view key) {
  return commit(Transaction().remove(collection, key));
}

Result<void> Store::append(std::string_view log, std::string_view json) {
  return commit(Transaction().append(log, json));
}

}  // namespace weir::store
