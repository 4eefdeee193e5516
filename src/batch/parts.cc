#include "batch/parts.h"

#include <filesystem>
#include <vector>

#include <boost/json.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "batch/join.h"

namespace weir::batch {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

Error file_error(std::string_view what, const std::string& path, const std::error_code& error) {
  return Error{Code::unavailable, fmt::format("cannot {} '{}': {}", what, path, error.message())};
}

std::string note_path(const std::string& folder) {
  return folder + "/progress.ndjson";
}

Result<void> append_line(const std::string& path, std::string_view line) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) return tl::unexpected(system_error("open", path));
  const std::string text = std::string(line) + '\n';
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return {};
  return tl::unexpected(system_error("write", path));
}

}  // namespace

std::string rejected_file(const std::string& out) {
  return out + ".rejected.ndjson";
}

Result<std::unique_ptr<Parts>> Parts::open(const std::string& out, std::string_view plan, Old old) {
  std::unique_ptr<Parts> parts(new Parts(out));
  std::error_code error;
  if (fs::is_directory(out, error)) {
    return fail(Code::invalid_argument, "cannot write '{}': it is a folder", out);
  }
  if (old == Old::throw_away) fs::remove_all(parts->folder_, error);
  const std::string path = note_path(parts->folder_);
  if (fs::exists(path, error)) {
    const std::string note = TRY(system_files().read(path));
    TRY(parts->read_note(plan, note));
  } else {
    if (auto made = system_files().make_folders(parts->folder_); !made) {
      return fail(made.error().code, "cannot write beside '{}': {}", out, made.error().message);
    }
    TRY(system_files().write_whole(path, std::string(plan) + '\n'));
  }
  return parts;
}

Result<void> Parts::read_note(std::string_view plan, const std::string& note) {
  std::string_view rest = note;
  const auto next_line = [&]() -> std::string_view {
    const std::size_t end = rest.find('\n');
    // A line without an end was being written when the process died.
    if (end == std::string_view::npos) return {};
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return line;
  };
  if (const std::string_view noted = next_line(); noted != plan) {
    return fail(
        Code::conflict,
        "'{}' holds parts of other work: then it was {}, now it is {}. Give the same command to go "
        "on, or --restart to throw them away",
        folder_,
        noted,
        plan
    );
  }
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error || !value.is_object()) continue;
    const auto number_of = [&](const char* name) -> std::uint64_t {
      const json::value* member = value.get_object().if_contains(name);
      boost::system::error_code ignored;
      return member == nullptr ? 0 : member->to_number<std::uint64_t>(ignored);
    };
    const std::uint64_t number = number_of("part");
    std::error_code missing;
    if (fs::file_size(part_path(number), missing) != number_of("bytes") || missing) continue;
    done_[number] = {number_of("rows"), number_of("rejected")};
  }
  return {};
}

bool Parts::is_done(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return done_.contains(number);
}

std::uint64_t Parts::first_missing() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t number = 0;
  while (done_.contains(number)) ++number;
  return number;
}

PartCounts Parts::total() const {
  const std::lock_guard lock(mutex_);
  PartCounts total;
  for (const auto& [number, counts] : done_) {
    total.rows += counts.rows;
    total.rejected += counts.rejected;
  }
  return total;
}

std::uint64_t Parts::count() const {
  const std::lock_guard lock(mutex_);
  return done_.size();
}

std::string Parts::part_path(std::uint64_t number) const {
  return fmt::format("{}/{:06}.part", folder_, number);
}
std::string Parts::temporary_path(std::uint64_t number) const {
  return part_path(number) + ".tmp";
}
std::string Parts::rejected_path(std::uint64_t number) const {
  return fmt::format("{}/{:06}.rejected", folder_, number);
}

Result<void> Parts::finish(
    std::uint64_t number, const PartCounts& counts, std::string_view rejected
) {
  const std::string path = part_path(number);
  if (!rejected.empty()) TRY(system_files().write_whole(rejected_path(number), rejected));
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(temporary_path(number), error);
  if (error) return tl::unexpected(file_error("read", temporary_path(number), error));
  TRY(system_files().rename(temporary_path(number), path));
  const std::lock_guard lock(mutex_);
  TRY(append_line(
      note_path(folder_),
      fmt::format(
          R"({{"part":{},"rows":{},"rejected":{},"bytes":{}}})",
          number,
          counts.rows,
          counts.rejected,
          bytes
      )
  ));
  done_[number] = counts;
  return {};
}

Result<void> Parts::join(table::FileFormat format, std::string_view further_rejected) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> parts;
  std::vector<std::string> rejected;
  std::error_code error;
  for (const auto& [number, counts] : done_) {
    parts.push_back(part_path(number));
    if (counts.rejected > 0) rejected.push_back(rejected_path(number));
  }
  const std::string further = folder_ + "/further.rejected";
  if (!further_rejected.empty()) {
    TRY(system_files().write_whole(further, further_rejected));
    rejected.push_back(further);
  }
  const std::string side = rejected_file(out_);
  if (rejected.empty()) {
    fs::remove(side, error);
  } else {
    const std::string joined = folder_ + "/rejected.tmp";
    TRY(join_files(rejected, table::FileFormat::ndjson, joined));
    TRY(system_files().rename(joined, side));
  }
  const std::string joined = folder_ + "/out.tmp";
  TRY(join_files(parts, format, joined));
  TRY(system_files().rename(joined, out_));
  fs::remove_all(folder_, error);
  if (error) return tl::unexpected(file_error("remove", folder_, error));
  return {};
}

}  // namespace weir::batch
