#include "base/file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/descriptor.h"

namespace weir {
namespace {

class SystemFile final : public AppendFile {
 public:
  SystemFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        return tl::unexpected(system_error("write", path_));
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      size_ += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return tl::unexpected(system_error("sync", path_));
    return {};
  }

  std::uint64_t size() const override { return size_; }

 private:
  Descriptor fd_;
  std::string path_;
  std::uint64_t size_ = 0;
};

class SystemFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<AppendFile>> create(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
      if (errno == EEXIST) return fail(Code::conflict, "'{}' exists already", path);
      return tl::unexpected(system_error("create", path));
    }
    return std::make_unique<SystemFile>(fd, path);
  }

  Result<std::string> read(const std::string& path) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) return tl::unexpected(system_error("read", path));
    std::string bytes;
    struct stat status {};
    if (::fstat(fd.get(), &status) == 0) bytes.reserve(static_cast<std::size_t>(status.st_size));
    std::array<char, 65'536> buffer{};
    for (;;) {
      const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
      if (count == 0) return bytes;
      if (count < 0 && errno != EINTR) return tl::unexpected(system_error("read", path));
      if (count > 0) bytes.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  Result<void> write_whole(const std::string& path, std::string_view bytes) override {
    const std::string temporary = path + ".tmp";
    {
      const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
      if (fd < 0) return tl::unexpected(system_error("create", temporary));
      SystemFile file(fd, temporary);
      TRY(file.append(std::as_bytes(std::span(bytes))));
      TRY(file.sync());
    }
    TRY(rename(temporary, path));
    return sync_folder(std::filesystem::path(path).parent_path().string());
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return tl::unexpected(system_error("rename", from));
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return tl::unexpected(system_error("remove", path));
    return {};
  }

  Result<void> make_folders(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
      errno = error.value();
      return tl::unexpected(system_error("create the folder", path));
    }
    return {};
  }

  Result<void> sync_folder(const std::string& path) override {
    const std::string folder = path.empty() ? "." : path;
    const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) return tl::unexpected(system_error("sync", folder));
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return tl::unexpected(system_error("ask", path));
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }
};

}  // namespace

FileSystem& system_files() {
  static SystemFiles files;
  return files;
}

Result<void> check_regular_file(
    const std::string& path, std::uint64_t max_bytes, std::string_view limit
) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return fail(Code::not_found, "there is no file '{}'", path);
  if (!std::filesystem::is_regular_file(status)) {
    return fail(Code::invalid_argument, "'{}' is not a file; name the file itself", path);
  }
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (size <= max_bytes) return {};
  return fail(
      Code::invalid_argument, "'{}' has {} bytes; {} allows {}", path, size, limit, max_bytes
  );
}

Error system_error(std::string_view what, std::string_view path) {
  const int number = errno;
  Code code = Code::unavailable;
  if (number == ENOSPC || number == EDQUOT) code = Code::exhausted;
  if (number == ENOENT) code = Code::not_found;
  return Error{
      code, fmt::format("cannot {} '{}': {}", what, path, std::generic_category().message(number))};
}

}  // namespace weir
