#include "store/lease.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

namespace weir::store {
namespace {

constexpr std::size_t max_holder_bytes = 1024;

// What the holder wrote about itself, on one line. It is for people only: the lock is the kernel's,
// so a text that is stale or cut does no harm.
std::string read_holder(int descriptor) {
  std::array<char, max_holder_bytes + 256> buffer{};
  const ssize_t size = pread(descriptor, buffer.data(), buffer.size(), 0);
  std::string text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "a process that has not named itself yet" : text;
}

// On a full disk the lease is held all the same.
void write_holder(int descriptor, const std::string& path, std::string_view holder) {
  std::string text = fmt::format(
      "process {} ({}, since {})",
      getpid(),
      holder.substr(0, max_holder_bytes),
      to_rfc3339(now_us() / us_per_second * us_per_second)
  );
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += '\n';
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    LOG(warning, "{}", system_error("write the holder into", path).message);
  }
}

}  // namespace

Lease::Lease(Lease&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  const Lease released(std::exchange(descriptor_, std::exchange(other.descriptor_, -1)));
  return *this;
}

Lease::~Lease() {
  // The file stays: to remove it would let two processes lock two files of one name.
  if (descriptor_ >= 0) close(descriptor_);
}

Result<Lease> acquire_lease(const std::string& folder, std::string_view holder) {
  TRY(system_files().make_folders(folder));
  const std::string path = folder + "/control.lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    Error error = system_error("open", path);
    error.message += "; the data folder must be writable, --data names another one";
    return tl::unexpected(std::move(error));
  }
  Lease lease(descriptor);
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return tl::unexpected(system_error("lock", path));
    return fail(
        Code::conflict,
        "data folder '{}' is in use: {} holds its control lease; stop that process, or give this "
        "one a folder of its own with --data",
        folder,
        read_holder(descriptor)
    );
  }
  write_holder(descriptor, path, holder);
  return lease;
}

}  // namespace weir::store
