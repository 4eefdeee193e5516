#include "ledger/disk.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"

namespace weir::ledger {
namespace {

namespace fs = std::filesystem;

class FileSource final : public ByteSource {
 public:
  FileSource(int fd, std::string path, std::uint64_t size)
      : fd_(fd), path_(std::move(path)), size_(size) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset >= size_) return std::size_t{0};
    out = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count = ::pread(
          fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done)
      );
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return tl::unexpected(system_error("read", path_));
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  std::uint64_t size() const override { return size_; }

 private:
  Descriptor fd_;
  std::string path_;
  std::uint64_t size_;
};

Moment modified_at(const struct stat& status) {
  return static_cast<Moment>(status.st_mtim.tv_sec) * us_per_second +
         status.st_mtim.tv_nsec / 1'000;
}

template <class Iterator>
Result<std::vector<ListedFile>> list_with(const std::string& folder) {
  std::vector<ListedFile> files;
  std::error_code error;
  Iterator entry(folder, error);
  for (; !error && entry != Iterator(); entry.increment(error)) {
    struct stat status {};
    const std::string path = entry->path().string();
    // A file may go between the listing and the question; it is then not listed.
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back(
        {entry->path().lexically_relative(folder).string(),
         static_cast<std::uint64_t>(status.st_size),
         modified_at(status)}
    );
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    errno = error.value();
    return tl::unexpected(system_error("list", folder));
  }
  std::sort(files.begin(), files.end(), [](const ListedFile& a, const ListedFile& b) {
    return a.name < b.name;
  });
  return files;
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(system_error("read", path));
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    const Error error = system_error("read", path);
    ::close(fd);
    return tl::unexpected(error);
  }
  return std::make_unique<FileSource>(fd, path, static_cast<std::uint64_t>(status.st_size));
}

Result<std::vector<ListedFile>> list_files(const std::string& folder, bool recursive) {
  return recursive ? list_with<fs::recursive_directory_iterator>(folder)
                   : list_with<fs::directory_iterator>(folder);
}

Result<std::vector<std::string>> list_folders(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) names.push_back(entry->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    errno = error.value();
    return tl::unexpected(system_error("list", folder));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool file_exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<void> truncate_file(const std::string& path, std::uint64_t size) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fsync(fd.get()) != 0) {
    return tl::unexpected(system_error("cut", path));
  }
  return {};
}

Result<void> set_modified(const std::string& path, Moment time) {
  std::int64_t seconds = time / us_per_second;
  std::int64_t rest = time % us_per_second;
  if (rest < 0) {
    --seconds;
    rest += us_per_second;
  }
  const struct timespec moment { seconds, rest * 1'000 };
  const struct timespec times[2] = {moment, moment};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
    return tl::unexpected(system_error("set the time of", path));
  }
  return {};
}

Result<void> sync_file(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return tl::unexpected(system_error("sync", path));
  return {};
}

Result<void> sync_all(const std::string& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::syncfs(fd.get()) != 0) return tl::unexpected(system_error("sync", folder));
  return {};
}

Result<void> remove_tree(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) return {};
  errno = error.value();
  return tl::unexpected(system_error("remove", folder));
}

Result<std::unique_ptr<FileLock>> FileLock::try_lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return tl::unexpected(system_error("open", path));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return std::unique_ptr<FileLock>(new FileLock(fd));
  const Error error = system_error("lock", path);
  const bool is_held = errno == EWOULDBLOCK;
  ::close(fd);
  if (is_held) return std::unique_ptr<FileLock>();
  return tl::unexpected(error);
}

FileLock::~FileLock() {
  ::close(fd_);
}

}  // namespace weir::ledger
