#include "ledger/catalog.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"

namespace weir::ledger {
namespace {

bool is_segment(FileKind kind) {
  return kind == FileKind::segment || kind == FileKind::feedback_segment;
}

}  // namespace

void Catalog::add(StoredFilePointer file, FileFacts facts) {
  const std::scoped_lock lock(mutex_);
  entries_.push_back({std::move(file), std::move(facts)});
  ++version_;
}

void Catalog::update(const StoredFilePointer& file, FileFacts facts) {
  const std::scoped_lock lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const CatalogEntry& entry) {
    return entry.file == file;
  });
  CHECK(found != entries_.end(), "only the owner of an open segment takes it out");
  found->facts = std::move(facts);
  ++version_;
}

void Catalog::swap(
    std::span<const StoredFilePointer> removed,
    std::vector<CatalogEntry> added,
    std::function<void()> when_gone
) {
  // The deleter runs when the last of the removed files lets go of the token.
  const std::shared_ptr<void> token(nullptr, [action = std::move(when_gone)](void*) {
    if (action) action();
  });
  std::vector<CatalogEntry> dropped;  // Let go of outside the lock, like the token.
  {
    const std::scoped_lock lock(mutex_);
    const std::unordered_set<StoredFilePointer> gone(removed.begin(), removed.end());
    const auto kept =
        std::stable_partition(entries_.begin(), entries_.end(), [&](const CatalogEntry& entry) {
          return !gone.contains(entry.file);
        });
    dropped.assign(std::make_move_iterator(kept), std::make_move_iterator(entries_.end()));
    entries_.erase(kept, entries_.end());
    for (CatalogEntry& entry : dropped) entry.file->when_gone_ = token;
    for (CatalogEntry& entry : added) entries_.push_back(std::move(entry));
    ++version_;
  }
}

std::vector<CatalogEntry> Catalog::entries() const {
  const std::scoped_lock lock(mutex_);
  return entries_;
}

std::vector<CatalogEntry> Catalog::entries(FileKind kind) const {
  const std::scoped_lock lock(mutex_);
  std::vector<CatalogEntry> found;
  std::copy_if(
      entries_.begin(),
      entries_.end(),
      std::back_inserter(found),
      [&](const CatalogEntry& entry) { return entry.file->kind() == kind; }
  );
  return found;
}

std::vector<CatalogEntry> Catalog::sealed_segments() const {
  const std::scoped_lock lock(mutex_);
  std::vector<CatalogEntry> found;
  std::copy_if(
      entries_.begin(),
      entries_.end(),
      std::back_inserter(found),
      [](const CatalogEntry& entry) {
        return is_segment(entry.file->kind()) && entry.facts.is_sealed;
      }
  );
  return found;
}

Catalog::Totals Catalog::totals() const {
  const std::scoped_lock lock(mutex_);
  Totals totals;
  for (const CatalogEntry& entry : entries_) {
    if (!is_segment(entry.file->kind())) {
      ++totals.parquet_files;
      totals.parquet_bytes += entry.facts.bytes;
      continue;
    }
    ++totals.segments;
    if (!entry.facts.is_sealed) continue;
    ++totals.sealed_segments;
    totals.sealed_segment_bytes += entry.facts.bytes;
  }
  return totals;
}

Snapshot Catalog::snapshot() const {
  const std::scoped_lock lock(mutex_);
  Snapshot snapshot;
  snapshot.held.reserve(entries_.size());
  for (const CatalogEntry& entry : entries_) add_to_snapshot(snapshot, *this, entry);
  return snapshot;
}

void add_to_snapshot(Snapshot& snapshot, const Catalog& catalog, const CatalogEntry& entry) {
  snapshot.held.push_back(entry.file);
  std::string path = catalog.path_of(*entry.file);
  switch (entry.file->kind()) {
    case FileKind::segment:
      snapshot.segments.push_back(std::move(path));
      break;
    case FileKind::feedback_segment:
      snapshot.feedback_segments.push_back(std::move(path));
      break;
    case FileKind::records:
      snapshot.endpoints[entry.facts.endpoint].records.push_back(std::move(path));
      break;
    case FileKind::feedback:
      snapshot.endpoints[entry.facts.endpoint].feedback.push_back(std::move(path));
      break;
  }
}

}  // namespace weir::ledger
