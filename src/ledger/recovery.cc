#include "ledger/recovery.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include <fmt/core.h>

#include "base/log.h"
#include "ledger/blocks.h"
#include "ledger/swap.h"

namespace weir::ledger {
namespace {

constexpr std::string_view format_text = "weir-ledger 1\n";
constexpr std::string_view lock_suffix = ".lock";

// A file of the ledger by its name; nothing for any other.
struct Named {
  FileKind kind;
  FileStem stem;
};

std::optional<Named> name_segment(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view suffix = name.substr(dot);
  const auto stem = parse_stem(name.substr(0, dot));
  if (!stem) return std::nullopt;
  if (suffix == ".segment") return Named{FileKind::segment, *stem};
  if (suffix == ".feedback") return Named{FileKind::feedback_segment, *stem};
  return std::nullopt;
}

// The Parquet files of every endpoint that `wanted` says yes to.
Result<std::vector<CatalogEntry>> list_parquet(
    const std::string& folder, const std::function<bool(const FileStem&)>& wanted
) {
  std::vector<CatalogEntry> entries;
  for (const std::string& encoded : TRY(list_folders(folder))) {
    const auto endpoint = decode_endpoint(encoded);
    if (!endpoint) continue;
    for (const FileKind kind : {FileKind::records, FileKind::feedback}) {
      const std::string below = encoded + (kind == FileKind::records ? "/records" : "/feedback");
      for (const ListedFile& file : TRY(list_files(join_path(folder, below), true))) {
        std::string_view name = file.name;
        const std::size_t slash = name.find('/');
        if (!name.starts_with("day=") || slash == std::string_view::npos) continue;
        const std::string day(name.substr(4, slash - 4));
        name.remove_prefix(slash + 1);
        if (!name.ends_with(".parquet")) continue;
        name.remove_suffix(8);
        const auto stem = parse_stem(name);
        if (!stem || !wanted(*stem)) continue;
        entries.push_back(
            {std::make_shared<StoredFile>(kind, *stem, below + "/" + file.name),
             {.endpoint = *endpoint,
              .day = day,
              .bytes = file.size,
              .newest_recorded_at = file.modified_at}}
        );
      }
    }
  }
  return entries;
}

Moment newest(const Summary& summary) {
  Moment newest = 0;
  for (const auto& [endpoint, range] : summary) {
    newest = std::max<Moment>(newest, range.max_recorded_at);
  }
  return newest;
}

// Cuts, removes or sets aside one segment; adds it to the catalog when rows are left.
Result<void> recover_segment(
    FileSystem& files,
    const ListedFile& listed,
    const Named& named,
    Catalog& catalog,
    Recovered& recovered
) {
  const std::string relative = "segments/" + listed.name;
  const std::string path = join_path(catalog.folder(), relative);
  const auto scanned = scan_segment(path);
  if (!scanned) {
    if (listed.size < segment_header_bytes + block_header_bytes) {
      recovered.torn_bytes += listed.size;
      return files.remove(path);  // Not even its first block arrived.
    }
    if (scanned.error().code != Code::corrupt) return tl::unexpected(scanned.error());
    LOG(error, "ledger: {}; set aside as '{}.damaged'", scanned.error().message, path);
    ++recovered.damaged_files;
    return files.rename(path, path + ".damaged");
  }
  recovered.damaged_blocks += scanned->damaged_blocks;
  if (scanned->damaged_blocks > 0) {
    LOG(error, "ledger: '{}' has {} damaged blocks", path, scanned->damaged_blocks);
  }
  if (scanned->valid_bytes < listed.size) {
    const std::uint64_t torn = listed.size - scanned->valid_bytes;
    recovered.torn_bytes += torn;
    LOG(warning, "ledger: cuts {} bytes of a broken write off '{}'", torn, path);
    TRY(truncate_file(path, scanned->valid_bytes));
  }
  if (scanned->summary.empty()) return files.remove(path);
  catalog.add(
      std::make_shared<StoredFile>(named.kind, named.stem, relative),
      {.bytes = scanned->valid_bytes,
       .newest_recorded_at = newest(scanned->summary),
       .summary = scanned->summary}
  );
  return {};
}

}  // namespace

Result<void> check_format(FileSystem& files, const std::string& folder) {
  TRY(files.make_folders(join_path(folder, "segments/tmp")));
  TRY(files.make_folders(join_path(folder, "writers")));
  const std::string path = join_path(folder, "FORMAT");
  auto text = files.read(path);
  if (text && *text == format_text) return {};
  if (text) {
    return fail(
        Code::conflict,
        "'{}' says '{}', this program reads '{}': run the version of weir that wrote it, or choose "
        "another folder with --data",
        path,
        text->substr(0, text->find('\n')),
        format_text.substr(0, format_text.size() - 1)
    );
  }
  if (text.error().code != Code::not_found) return tl::unexpected(text.error());
  if (!TRY(list_files(join_path(folder, "segments"))).empty()) {
    return fail(
        Code::conflict,
        "'{}' holds segments, but no file FORMAT that says how to read them; put it back, or "
        "choose "
        "another folder with --data",
        folder
    );
  }
  return files.write_whole(path, format_text);
}

Result<Writers> take_writers(FileSystem& files, const std::string& folder) {
  const std::string locks = join_path(folder, "writers");
  TRY(files.make_folders(locks));
  std::map<std::uint64_t, std::string> known;
  for (const ListedFile& file : TRY(list_files(locks))) {
    std::string_view name = file.name;
    if (!name.ends_with(lock_suffix) || !name.starts_with('w')) continue;
    name.remove_suffix(lock_suffix.size());
    std::uint64_t number = 0;
    const char* end = name.data() + name.size();
    if (std::from_chars(name.data() + 1, end, number).ptr == end) known[number] = name;
  }
  Writers writers;
  const auto try_writer = [&](const std::string& name) -> Result<bool> {
    auto lock = TRY(FileLock::try_lock(join_path(locks, name + std::string(lock_suffix))));
    if (!lock) return false;
    writers.locks.push_back(std::move(lock));
    writers.all.insert(name);
    if (writers.own.empty()) writers.own = name;
    return true;
  };
  for (const auto& [number, name] : known) TRY(try_writer(name));
  for (std::uint64_t number = 1; writers.own.empty(); ++number) {
    if (!known.contains(number)) TRY(try_writer(fmt::format("w{}", number)));
  }
  return writers;
}

Result<Scanned> scan_segment(const std::string& path, bool check_all) {
  Blocks blocks = TRY(Blocks::open(path));
  Scanned scanned;
  if (!check_all) {
    if (auto summary = TRY(blocks.footer())) {
      return Scanned{std::move(*summary), blocks.file_size(), 0, true};
    }
  }
  scanned.valid_bytes = segment_header_bytes;
  std::vector<std::string> endpoints;  // By number of schema.
  std::uint64_t damaged = 0;           // Since the last valid block.
  while (const BlockHeader* header = TRY(blocks.next())) {
    const bool has_gap = blocks.begin() != scanned.valid_bytes && damaged == 0;
    const auto payload = TRY(blocks.payload());
    const bool is_known = header->type != BlockType::rows ||
                          (header->schema < endpoints.size() && !endpoints[header->schema].empty());
    if (!payload || !is_known) {
      ++damaged;
      continue;
    }
    scanned.damaged_blocks += damaged + (has_gap ? 1 : 0);
    damaged = 0;
    scanned.valid_bytes = blocks.end();
    if (header->type == BlockType::schema) {
      auto schema = decode_schema(*payload);
      if (!schema) continue;
      if (endpoints.size() <= header->schema) endpoints.resize(header->schema + std::size_t{1});
      endpoints[header->schema] = std::move(schema->endpoint);
    } else if (header->type == BlockType::rows) {
      scanned.summary[endpoints[header->schema]].add(range_of(*header));
    } else {
      scanned.has_footer = true;
    }
  }
  return scanned;
}

Result<Recovered> recover(FileSystem& files, const Writers& writers, Catalog& catalog) {
  const std::string& folder = catalog.folder();
  TRY(recover_swaps(files, folder, writers.all));
  Recovered recovered;
  const auto is_ours = [&](const FileStem& stem) {
    if (stem.writer == writers.own) {
      recovered.last_sequence = std::max(recovered.last_sequence, stem.sequence);
    }
    return writers.all.contains(stem.writer);
  };
  for (CatalogEntry& entry : TRY(list_parquet(folder, is_ours))) {
    catalog.add(std::move(entry.file), std::move(entry.facts));
  }
  for (const ListedFile& file : TRY(list_files(join_path(folder, "segments")))) {
    const auto named = name_segment(file.name);
    if (!named || !is_ours(named->stem)) continue;
    TRY(recover_segment(files, file, *named, catalog, recovered));
  }
  return recovered;
}

Result<std::vector<CatalogEntry>> list_others(
    const std::string& folder, const std::set<std::string>& ours
) {
  bool are_there_others = false;
  for (const ListedFile& file : TRY(list_files(join_path(folder, "writers")))) {
    std::string_view name = file.name;
    if (!name.ends_with(lock_suffix)) continue;
    name.remove_suffix(lock_suffix.size());
    if (!ours.contains(std::string(name))) are_there_others = true;
  }
  if (!are_there_others) return std::vector<CatalogEntry>();
  const auto is_theirs = [&](const FileStem& stem) { return !ours.contains(stem.writer); };
  // What a swap takes away is not read while it is in progress; what it adds may be missed for the
  // moment until it is in its place.
  std::set<std::string, std::less<>> removed;
  std::vector<CatalogEntry> segments;
  for (const ListedFile& file : TRY(list_files(join_path(folder, "segments")))) {
    if (file.name.ends_with(".commit")) {
      const auto stem = parse_stem(std::string_view(file.name).substr(0, file.name.size() - 7));
      const auto text = system_files().read(join_path(folder, "segments/" + file.name));
      if (!stem || !text) continue;
      const auto swap = decode_swap(*text, *stem);
      if (swap) removed.insert(swap->removed.begin(), swap->removed.end());
    } else if (const auto named = name_segment(file.name); named && is_theirs(named->stem)) {
      segments.push_back(
          {std::make_shared<StoredFile>(named->kind, named->stem, "segments/" + file.name),
           {.bytes = file.size}}
      );
    }
  }
  std::vector<CatalogEntry> entries = TRY(list_parquet(folder, is_theirs));
  entries.insert(entries.end(), segments.begin(), segments.end());
  std::erase_if(entries, [&](const CatalogEntry& entry) {
    return removed.contains(entry.file->relative_path());
  });
  return entries;
}

}  // namespace weir::ledger
