#include "ledger/segment_log.h"

#include <algorithm>

#include "base/log.h"

namespace weir::ledger {
namespace {

constexpr std::int64_t ns_per_us = 1'000;
constexpr std::int64_t space_interval_ns = 1'000'000'000;

std::string name_of(SegmentKind kind, const FileStem& stem) {
  return "segments/" + to_string(stem) + (kind == SegmentKind::records ? ".segment" : ".feedback");
}

Moment newest(const Summary& summary) {
  Moment newest = 0;
  for (const auto& [endpoint, range] : summary) {
    newest = std::max<Moment>(newest, range.max_recorded_at);
  }
  return newest;
}

}  // namespace

SegmentLog::SegmentLog(
    Options options, FileSystem& files, Catalog& catalog, std::function<FileStem()> next_stem
)
    : options_(options), files_(files), catalog_(catalog), next_stem_(std::move(next_stem)) {}

SegmentLog::~SegmentLog() {
  seal();
  if (auto synced = sync(); !synced) LOG(error, "ledger: {}", synced.error().message);
}

Result<void> SegmentLog::check_space() {
  if (options_.min_free_bytes == 0) return {};
  space_checked_ns_ = monotonic_ns();
  const std::uint64_t free = TRY(files_.free_bytes(catalog_.folder()));
  if (free >= options_.min_free_bytes) return {};
  return fail(
      Code::exhausted,
      "the disk of '{}' has {} bytes left, the ledger keeps {} free; make room, or lower "
      "ledger.min_free_bytes",
      catalog_.folder(),
      free,
      options_.min_free_bytes
  );
}

Result<void> SegmentLog::open_segment() {
  TRY(check_space());
  for (;;) {
    stem_ = next_stem_();
    relative_path_ = name_of(options_.kind, stem_);
    auto writer =
        SegmentWriter::create(files_, join_path(catalog_.folder(), relative_path_), options_.kind);
    if (writer) {
      writer_ = std::move(*writer);
      is_folder_unsynced_ = true;
      return {};
    }
    // The name is taken when a failed segment could not be removed.
    if (writer.error().code != Code::conflict) return tl::unexpected(writer.error());
  }
}

Result<void> SegmentLog::append(std::string_view endpoint, const tensor::Columns& columns) {
  const std::scoped_lock lock(mutex_);
  const std::int64_t now = monotonic_ns();
  if (now < retry_ns_) {
    const std::scoped_lock state_lock(state_mutex_);
    if (state_.failure) return tl::unexpected(*state_.failure);
  }
  Result<void> result;
  if (writer_ && now - space_checked_ns_ > space_interval_ns) result = check_space();
  if (result && !writer_) result = open_segment();
  const std::uint64_t size_before = writer_ ? writer_->size() : 0;
  if (result) result = writer_->append(endpoint, columns);
  if (!result) {
    remember_failure(result.error());
    retry_ns_ = now + options_.retry_interval_us * ns_per_us;
    seal_locked();
    return result;
  }
  if (size_before == 0) {
    first_row_ns_ = now;
    file_ = std::make_shared<StoredFile>(
        options_.kind == SegmentKind::records ? FileKind::segment : FileKind::feedback_segment,
        stem_,
        relative_path_
    );
    catalog_.add(file_, {.is_sealed = false});
  }
  is_unsynced_ = true;
  retry_ns_ = 0;
  {
    const std::scoped_lock state_lock(state_mutex_);
    if (state_.failure) LOG(info, "ledger: writes again after: {}", state_.failure->message);
    state_.failure.reset();
    state_.failing_since = 0;
    state_.rows += columns.rows();
    state_.bytes += writer_->size() - size_before;
    state_.open_bytes = writer_->size();
    if (state_.unsynced_since_ns == 0) state_.unsynced_since_ns = now;
  }
  if (writer_->size() >= options_.max_bytes || writer_->is_full()) seal_locked();
  return {};
}

void SegmentLog::remember_failure(const Error& error) {
  const std::scoped_lock lock(state_mutex_);
  ++state_.errors;
  if (!state_.failure) {
    state_.failing_since = now_us();
    LOG(error, "ledger: cannot write: {}", error.message);
  }
  state_.failure = error;
}

void SegmentLog::seal_locked() {
  if (!writer_) return;
  if (writer_->size() == 0) {
    // Nothing of it is worth keeping; when it cannot be removed, recovery does that.
    if (auto removed = files_.remove(writer_->path()); !removed) {
      LOG(warning, "ledger: {}", removed.error().message);
    }
  } else {
    if (!writer_->is_broken()) {
      if (auto closed = writer_->close(); !closed) remember_failure(closed.error());
    }
    catalog_.update(
        file_,
        {.bytes = writer_->size(),
         .newest_recorded_at = newest(writer_->summary()),
         .is_sealed = true,
         .summary = writer_->summary()}
    );
    sealed_unsynced_.push_back(writer_->file());
  }
  writer_.reset();
  file_.reset();
  is_unsynced_ = false;
  const std::scoped_lock lock(state_mutex_);
  state_.open_bytes = 0;
}

void SegmentLog::seal() {
  const std::scoped_lock lock(mutex_);
  seal_locked();
}

void SegmentLog::seal_if_old() {
  const std::scoped_lock lock(mutex_);
  if (writer_ && writer_->size() > 0 &&
      monotonic_ns() - first_row_ns_ >= options_.max_age_us * ns_per_us) {
    seal_locked();
  }
}

Result<void> SegmentLog::sync() {
  std::vector<std::shared_ptr<AppendFile>> files;
  std::shared_ptr<AppendFile> open;
  bool sync_folder = false;
  {
    const std::scoped_lock lock(mutex_);
    files = std::exchange(sealed_unsynced_, {});
    if (writer_ && is_unsynced_) files.push_back(open = writer_->file());
    is_unsynced_ = false;
    if (files.empty()) return {};
    sync_folder = std::exchange(is_folder_unsynced_, false);
    const std::scoped_lock state_lock(state_mutex_);
    syncing_since_ns_ = std::exchange(state_.unsynced_since_ns, 0);
  }
  Result<void> result;
  for (const auto& file : files) {
    if (auto synced = file->sync(); !synced) result = std::move(synced);
  }
  if (result && sync_folder) {
    result = files_.sync_folder(join_path(catalog_.folder(), "segments"));
  }
  if (!result) {
    // After a failed sync nobody knows what is on the device, and a second one may claim success:
    // the segment is left, and what follows goes into a new one.
    const std::scoped_lock lock(mutex_);
    is_folder_unsynced_ = true;
    if (open && writer_ && writer_->file() == open) {
      seal_locked();
      std::erase(sealed_unsynced_, open);
    }
  }
  const std::scoped_lock state_lock(state_mutex_);
  syncing_since_ns_ = 0;
  if (!result && state_.sync_failure.empty()) {
    LOG(error, "ledger: cannot sync: {}", result.error().message);
  }
  state_.sync_failure = result ? std::string() : result.error().message;
  return result;
}

SegmentLog::State SegmentLog::state() const {
  const std::scoped_lock lock(state_mutex_);
  State state = state_;
  if (syncing_since_ns_ != 0) state.unsynced_since_ns = syncing_since_ns_;
  return state;
}

}  // namespace weir::ledger
