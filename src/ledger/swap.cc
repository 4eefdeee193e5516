#include "ledger/swap.h"

#include <filesystem>

#include <fmt/core.h>

#include "base/hash.h"
#include "base/log.h"
#include "ledger/disk.h"

namespace weir::ledger {
namespace {

constexpr std::string_view first_line = "weir-commit 1";
constexpr std::string_view commit_suffix = ".commit";

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string commit_path(const std::string& folder, const FileStem& stem) {
  return join_path(folder, "segments/" + to_string(stem) + std::string(commit_suffix));
}

// What stands before the next separator; it is taken off.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

Result<void> remove_if_there(FileSystem& files, const std::string& path) {
  auto removed = files.remove(path);
  if (!removed && removed.error().code != Code::not_found) return removed;
  return {};
}

}  // namespace

std::string tmp_folder(const FileStem& stem) {
  return "segments/tmp/" + to_string(stem);
}

std::string encode_swap(const Swap& swap) {
  std::string text = fmt::format("{}\n", first_line);
  for (const Swap::Added& added : swap.added) {
    text += fmt::format("add\t{}\t{}\n", added.from, added.to);
  }
  for (const std::string& removed : swap.removed) text += fmt::format("remove\t{}\n", removed);
  text += fmt::format("end\t{:016x}\n", hash64(text));
  return text;
}

Result<Swap> decode_swap(std::string_view text, FileStem stem) {
  Swap swap{std::move(stem), {}, {}};
  const std::string_view whole = text;
  bool is_first = true;
  while (!text.empty()) {
    const std::size_t before = whole.size() - text.size();
    std::string_view line = take_until(text, '\n');
    if (is_first) {
      if (line != first_line) break;
      is_first = false;
      continue;
    }
    const std::string_view word = take_until(line, '\t');
    if (word == "add") {
      const std::string_view from = take_until(line, '\t');
      swap.added.push_back({std::string(from), std::string(line)});
    } else if (word == "remove") {
      swap.removed.emplace_back(line);
    } else if (word == "end") {
      if (line != fmt::format("{:016x}", hash64(whole.substr(0, before)))) break;
      return swap;
    } else {
      break;
    }
  }
  return fail(Code::corrupt, "the commit of '{}' is not whole", to_string(swap.stem));
}

bool is_committed(const std::string& folder, const Swap& swap) {
  return file_exists(commit_path(folder, swap.stem));
}

Result<void> commit_swap(FileSystem& files, const std::string& folder, const Swap& swap) {
  return files.write_whole(commit_path(folder, swap.stem), encode_swap(swap));
}

Result<void> place_added(FileSystem& files, const std::string& folder, const Swap& swap) {
  std::set<std::string> changed;
  for (const Swap::Added& added : swap.added) {
    const std::string from = join_path(folder, added.from);
    const std::string to = join_path(folder, added.to);
    const std::string day = parent_of(to);
    if (changed.insert(day).second) {
      TRY(files.make_folders(day));
      // A new folder is an entry in the folder above it, up to the ledger's own.
      for (std::string above = parent_of(day); above.size() >= folder.size();
           above = parent_of(above)) {
        changed.insert(above);
      }
    }
    if (file_exists(from)) TRY(files.rename(from, to));  // Otherwise it was done before.
  }
  // What was renamed before a crash is synced too: the old files go only after this.
  for (const std::string& path : changed) TRY(files.sync_folder(path));
  return {};
}

Result<void> remove_removed(FileSystem& files, const std::string& folder, const Swap& swap) {
  std::set<std::string> changed;
  for (const std::string& removed : swap.removed) {
    const std::string path = join_path(folder, removed);
    TRY(remove_if_there(files, path));
    changed.insert(parent_of(path));
  }
  for (const std::string& path : changed) {
    if (file_exists(path)) TRY(files.sync_folder(path));
  }
  TRY(remove_tree(join_path(folder, tmp_folder(swap.stem))));
  return remove_if_there(files, commit_path(folder, swap.stem));
}

Result<void> recover_swaps(
    FileSystem& files, const std::string& folder, const std::set<std::string>& writers
) {
  const std::string segments = join_path(folder, "segments");
  for (const ListedFile& file : TRY(list_files(segments))) {
    std::string_view name = file.name;
    const bool is_tmp = name.ends_with(".tmp");
    if (is_tmp) name.remove_suffix(4);
    if (!name.ends_with(commit_suffix)) continue;
    name.remove_suffix(commit_suffix.size());
    auto stem = parse_stem(name);
    if (!stem || !writers.contains(stem->writer)) continue;
    const std::string path = join_path(segments, file.name);
    if (is_tmp) {
      TRY(remove_if_there(files, path));
      continue;
    }
    const std::string text = TRY(files.read(path));
    auto swap = decode_swap(text, *stem);
    if (!swap) {
      return fail(
          Code::corrupt,
          "'{}' is damaged, so it is not known which files of the ledger are valid; compare it "
          "with docs/ledger-format.md, section 6, and remove it",
          path
      );
    }
    LOG(info, "ledger: finishes the swap '{}'", file.name);
    TRY(place_added(files, folder, *swap));
    TRY(remove_removed(files, folder, *swap));
  }
  const std::string tmp = join_path(segments, "tmp");
  for (const std::string& name : TRY(list_folders(tmp))) {
    const auto stem = parse_stem(name);
    if (stem && writers.contains(stem->writer)) TRY(remove_tree(join_path(tmp, name)));
  }
  return {};
}

}  // namespace weir::ledger
