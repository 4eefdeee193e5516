#include "batch/join.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "batch/parquet_footer.h"

namespace weir::batch {
namespace {

constexpr std::string_view magic = "PAR1";
constexpr std::uint64_t tail_bytes = 8;  // The footer's length and the magic.

Result<void> write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return tl::unexpected(system_error("write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_range(
    int file, std::uint64_t begin, std::uint64_t size, const std::string& path
) {
  std::string bytes(size, '\0');
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(file, bytes.data() + done, size - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error("read", path));
    if (got == 0) return fail(Code::corrupt, "'{}' became shorter while it was read", path);
    done += static_cast<std::uint64_t>(got);
  }
  return bytes;
}

Result<std::uint64_t> size_of(int file, const std::string& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return tl::unexpected(system_error("read", path));
  return static_cast<std::uint64_t>(status.st_size);
}

struct Target {
  const Descriptor& file;
  const std::string& path;
  std::uint64_t size = 0;

  Result<void> add(std::string_view bytes) {
    TRY(write_all(file.get(), bytes, path));
    size += bytes.size();
    return {};
  }

  Result<void> copy(
      const Descriptor& from, std::uint64_t begin, std::uint64_t end, const std::string& from_path
  ) {
    constexpr std::uint64_t chunk = 4ULL << 20;
    for (std::uint64_t at = begin; at < end; at += chunk) {
      const std::string bytes =
          TRY(read_range(from.get(), at, std::min(chunk, end - at), from_path));
      TRY(add(bytes));
    }
    return {};
  }
};

Result<void> join_lines(const std::vector<std::string>& parts, Target& target) {
  for (const std::string& path : parts) {
    const Descriptor part(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (part.get() < 0) return tl::unexpected(system_error("open", path));
    const std::uint64_t size = TRY(size_of(part.get(), path));
    TRY(target.copy(part, 0, size, path));
  }
  return {};
}

Result<void> join_parquet(const std::vector<std::string>& parts, Target& target) {
  TRY(target.add(magic));
  ParquetFooter first;
  std::vector<std::string> row_groups;
  std::int64_t rows = 0;
  for (const std::string& path : parts) {
    const Descriptor part(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (part.get() < 0) return tl::unexpected(system_error("open", path));
    const std::uint64_t size = TRY(size_of(part.get(), path));
    const auto broken = [&] { return fail(Code::corrupt, "'{}' is no whole Parquet file", path); };
    if (size < magic.size() + tail_bytes) return broken();
    const std::string tail = TRY(read_range(part.get(), size - tail_bytes, tail_bytes, path));
    std::uint32_t footer_bytes = 0;
    std::memcpy(&footer_bytes, tail.data(), sizeof footer_bytes);
    if (!tail.ends_with(magic) || footer_bytes > size - magic.size() - tail_bytes) return broken();
    const std::uint64_t end = size - tail_bytes - footer_bytes;
    const std::string bytes = TRY(read_range(part.get(), end, footer_bytes, path));
    const auto shift = static_cast<std::int64_t>(target.size - magic.size());
    ParquetFooter footer = TRY(read_parquet_footer(bytes, shift));
    TRY(target.copy(part, magic.size(), end, path));
    rows += footer.rows;
    for (std::string& group : footer.row_groups) row_groups.push_back(std::move(group));
    if (first.schema.empty())
      first = std::move(footer);
    else if (first.schema != footer.schema)
      return broken();
  }
  const std::string footer = write_parquet_footer(first, row_groups, rows);
  const auto footer_bytes = static_cast<std::uint32_t>(footer.size());
  std::array<char, sizeof footer_bytes> length{};
  std::memcpy(length.data(), &footer_bytes, sizeof footer_bytes);
  TRY(target.add(footer));
  TRY(target.add({length.data(), length.size()}));
  return target.add(magic);
}

}  // namespace

Result<void> join_files(
    const std::vector<std::string>& parts, table::FileFormat format, const std::string& path
) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) return tl::unexpected(system_error("create", path));
  Target target{file, path};
  if (format == table::FileFormat::parquet) {
    TRY(join_parquet(parts, target));
  } else {
    TRY(join_lines(parts, target));
  }
  if (::fdatasync(file.get()) != 0) return tl::unexpected(system_error("sync", path));
  return {};
}

}  // namespace weir::batch
