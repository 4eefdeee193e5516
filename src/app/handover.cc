#include "app/handover.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

namespace weir::app {
namespace {

constexpr const char* socket_name = "handover.sock";
constexpr int answer_ms = 10'000;  // The old server looks every second at the latest.

// The address of the socket by the descriptor of its folder: a path may be longer than an address.
sockaddr_un address_in(int folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, socket_name);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int make_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool is_own_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

// A message of one byte with room for the descriptors beside it.
struct Parcel {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  char mark = 'L';
  iovec part{&mark, 1};
  msghdr message{};

  explicit Parcel(std::size_t control_bytes) {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control_bytes;
  }
};

bool send_listeners(int socket, const Listeners& listeners) {
  const std::array<int, 2> descriptors = {listeners.http, listeners.grpc};
  const std::size_t bytes = (listeners.grpc < 0 ? 1 : 2) * sizeof(int);
  Parcel parcel(CMSG_SPACE(bytes));
  cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(bytes);
  std::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  return ::sendmsg(socket, &parcel.message, MSG_NOSIGNAL) == 1;
}

// Without any when none came.
Listeners receive_listeners(int socket) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, answer_ms) <= 0) return {};
  Parcel parcel(CMSG_SPACE(2 * sizeof(int)));
  if (::recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC) != 1) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
  std::array<int, 2> descriptors = {-1, -1};
  const std::size_t bytes = header->cmsg_len - CMSG_LEN(0);
  std::memcpy(descriptors.data(), CMSG_DATA(header), std::min(bytes, sizeof(descriptors)));
  return {.http = descriptors[0], .grpc = descriptors[1]};
}

}  // namespace

Result<Handover> Handover::open(const std::string& data) {
  Handover handover(::open(data.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), make_socket());
  if (handover.folder_ < 0 || handover.descriptor_ < 0) {
    return tl::unexpected(system_error("open", data));
  }
  // What is there was left by a server that was killed: this one holds the lease.
  ::unlinkat(handover.folder_, socket_name, 0);
  const sockaddr_un address = address_in(handover.folder_);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(handover.descriptor_, name, sizeof(address)) != 0 ||
      ::fchmodat(handover.folder_, socket_name, 0600, 0) != 0 ||
      ::listen(handover.descriptor_, 4) != 0) {
    return tl::unexpected(system_error("listen on", data + "/" + socket_name));
  }
  return handover;
}

Handover::Handover(Handover&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

Handover& Handover::operator=(Handover&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Handover::~Handover() {
  if (descriptor_ >= 0) {
    ::unlinkat(folder_, socket_name, 0);
    ::close(descriptor_);
  }
  if (folder_ >= 0) ::close(folder_);
}

bool Handover::give(const Listeners& listeners) {
  const int socket = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) return false;
  const bool is_given = is_own_user(socket) && send_listeners(socket, listeners);
  ::close(socket);
  return is_given;
}

Result<std::optional<Listeners>> take_listeners(const std::string& data) {
  const int folder = ::open(data.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 && errno == ENOENT) return std::optional<Listeners>();
  if (folder < 0) return tl::unexpected(system_error("open", data));
  const int socket = make_socket();
  const sockaddr_un address = address_in(folder);
  const bool is_connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  const bool is_nobody_there = !is_connected && (errno == ENOENT || errno == ECONNREFUSED);
  const Listeners listeners = is_connected ? receive_listeners(socket) : Listeners();
  ::close(socket);
  ::close(folder);
  if (is_nobody_there) return std::optional<Listeners>();
  if (listeners.http >= 0) return std::optional<Listeners>(listeners);
  return fail(
      Code::unavailable,
      "the server that holds data folder '{}' does not hand its socket over; stop it and start "
      "without --take-over",
      data
  );
}

}  // namespace weir::app
