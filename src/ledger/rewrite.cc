#include "ledger/rewrite.h"

#include <charconv>
#include <filesystem>

#include "base/check.h"
#include "base/log.h"
#include "ledger/disk.h"

namespace weir::ledger {
namespace {

// With more new files than this, one sync of the file system is cheaper.
constexpr std::size_t max_single_syncs = 16;
constexpr std::string_view day_prefix = "weir_day=";

}  // namespace

Result<Rewrite> Rewrite::begin(Workshop& workshop) {
  CHECK(!workshop.unfinished, "the files to change were chosen after the last swap had ended");
  Rewrite rewrite(workshop, workshop.next_stem());
  const std::string folder = join_path(workshop.catalog.folder(), tmp_folder(rewrite.stem_));
  TRY(remove_tree(folder));
  TRY(workshop.files.make_folders(folder));
  return rewrite;
}

Rewrite::Rewrite(Rewrite&& other) noexcept
    : workshop_(other.workshop_),
      stem_(std::move(other.stem_)),
      added_(std::move(other.added_)),
      entries_(std::move(other.entries_)),
      targets_(std::move(other.targets_)),
      removed_(std::move(other.removed_)),
      is_open_(std::exchange(other.is_open_, false)) {}

Rewrite::~Rewrite() {
  if (!is_open_) return;
  const std::string folder = join_path(workshop_->catalog.folder(), tmp_folder(stem_));
  if (auto removed = remove_tree(folder); !removed) {
    LOG(warning, "ledger: {}", removed.error().message);
  }
}

Result<std::string> Rewrite::make_path(const std::string& name) {
  const std::string path = join_path(workshop_->catalog.folder(), tmp_folder(stem_) + "/" + name);
  TRY(workshop_->files.make_folders(std::filesystem::path(path).parent_path().string()));
  return path;
}

Result<void> Rewrite::add(const std::string& name, const Output& output) {
  const std::string path = join_path(workshop_->catalog.folder(), tmp_folder(stem_) + "/" + name);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    const std::uint64_t bytes = std::filesystem::file_size(path, error);
    return error ? Result<void>() : add_file(name, output, bytes);
  }
  for (const ListedFile& file : TRY(list_files(path, true))) {
    const std::size_t slash = file.name.find('/');
    if (!file.name.starts_with(day_prefix) || slash == std::string::npos) continue;
    Output with_day = output;
    with_day.day = file.name.substr(day_prefix.size(), slash - day_prefix.size());
    TRY(add_file(name + "/" + file.name, with_day, file.size));
  }
  return {};
}

Result<void> Rewrite::add_file(const std::string& name, const Output& output, std::uint64_t bytes) {
  const std::string folder = TRY(encode_endpoint(output.endpoint)) +
                             (output.kind == FileKind::records ? "/records" : "/feedback") +
                             "/day=" + output.day + "/";
  // The first file of a day has the number of the swap, further ones have numbers of their own.
  FileStem stem = stem_;
  while (!targets_.insert(folder + to_string(stem)).second) stem = workshop_->next_stem();
  const std::string target = folder + to_string(stem) + ".parquet";
  added_.push_back({tmp_folder(stem_) + "/" + name, target});
  entries_.push_back(
      {std::make_shared<StoredFile>(output.kind, stem, target),
       {.endpoint = output.endpoint,
        .day = output.day,
        .bytes = bytes,
        .newest_recorded_at = output.newest_recorded_at}}
  );
  return {};
}

Result<void> Rewrite::sync_outputs() {
  const std::string& folder = workshop_->catalog.folder();
  for (std::size_t i = 0; i < added_.size(); ++i) {
    const std::string path = join_path(folder, added_[i].from);
    TRY(set_modified(path, entries_[i].facts.newest_recorded_at));
    if (added_.size() <= max_single_syncs) TRY(sync_file(path));
  }
  if (added_.size() > max_single_syncs) TRY(sync_all(folder));
  return {};
}

Result<void> Rewrite::commit() {
  TRY(sync_outputs());
  Swap swap{stem_, added_, {}};
  for (const StoredFilePointer& file : removed_) swap.removed.push_back(file->relative_path());
  FileSystem& files = workshop_->files;
  Catalog& catalog = workshop_->catalog;
  const std::string& folder = catalog.folder();
  auto committed = commit_swap(files, folder, swap);
  if (!committed && !is_committed(folder, swap)) return committed;
  is_open_ = false;
  // Everything from the commit on may be repeated until it succeeds.
  workshop_->unfinished = [&files,
                           &catalog,
                           swap,
                           is_durable = committed.has_value(),
                           entries = std::move(entries_),
                           removed = std::move(removed_)]() -> Result<void> {
    if (!is_durable) TRY(commit_swap(files, catalog.folder(), swap));
    TRY(place_added(files, catalog.folder(), swap));
    catalog.swap(removed, entries, [&files, folder = catalog.folder(), swap] {
      if (auto gone = remove_removed(files, folder, swap); !gone) {
        LOG(warning, "ledger: {}; the next start ends it", gone.error().message);
      }
    });
    return {};
  };
  return finish_unfinished(*workshop_);
}

Result<NumberPairs> read_number_pairs(FileSystem& files, const std::string& path) {
  const std::string text = TRY(files.read(path));
  NumberPairs pairs;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::pair<std::int64_t, std::int64_t> pair;
    const auto first = std::from_chars(at, end, pair.first);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != ',') break;
    const auto second = std::from_chars(first.ptr + 1, end, pair.second);
    if (second.ec != std::errc() || second.ptr == end || *second.ptr != '\n') break;
    pairs.push_back(pair);
    at = second.ptr + 1;
  }
  if (at != end) return fail(Code::internal, "'{}' is not two numbers a line", path);
  return pairs;
}

Result<void> finish_unfinished(Workshop& workshop) {
  if (!workshop.unfinished) return {};
  TRY(workshop.unfinished());
  workshop.unfinished = nullptr;
  return {};
}

}  // namespace weir::ledger
