#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/host_message.h"

// The sending and receiving half of host_message.h.

namespace weir::model {
namespace {

struct MessageHeader {
  std::uint32_t magic = 0x4D494557;  // "WEIM"
  std::uint16_t version = 1;
  std::uint16_t kind = 0;
  std::uint64_t size = 0;
};

tl::unexpected<Error> closed() {
  return fail(Code::unavailable, "the socket of a model's process is closed");
}

Result<void> wait_for(int socket, short events, const MessageLimits& limits) {
  std::array<pollfd, 2> descriptors = {{{socket, events, 0}, {limits.stop, POLLIN, 0}}};
  const nfds_t count = limits.stop >= 0 ? 2 : 1;
  while (true) {
    int wait_ms = -1;
    if (limits.deadline_ns != 0) {
      const std::int64_t left_ms = (limits.deadline_ns - monotonic_ns() + 999'999) / 1'000'000;
      if (left_ms <= 0) return fail(Code::deadline, "a model's process took too long");
      wait_ms = static_cast<int>(std::min<std::int64_t>(left_ms, std::numeric_limits<int>::max()));
    }
    const int ready = ::poll(descriptors.data(), count, wait_ms);
    if (ready < 0 && errno != EINTR) return tl::unexpected(system_error("wait for", "a socket"));
    if (ready <= 0) continue;
    if (descriptors[1].revents != 0) return fail(Code::unavailable, "it was told to stop");
    return {};
  }
}

// A descriptor travels beside the first byte of the message that it belongs to.
class DescriptorPassage {
 public:
  explicit DescriptorPassage(msghdr& header) : header_(header) {
    header.msg_control = space_.data();
    header.msg_controllen = space_.size();
  }
  void put(int descriptor) {
    cmsghdr* const control = CMSG_FIRSTHDR(&header_);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  }
  int take() const {
    int descriptor = -1;
    const cmsghdr* const control = CMSG_FIRSTHDR(&header_);
    if (control != nullptr && control->cmsg_type == SCM_RIGHTS) {
      std::memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
    }
    return descriptor;
  }

 private:
  msghdr& header_;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space_{};
};

Result<void> receive_bytes(int socket, char* bytes, std::size_t size, const MessageLimits& limits) {
  while (size > 0) {
    const ssize_t received = ::recv(socket, bytes, size, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) {
      TRY(wait_for(socket, POLLIN, limits));
      continue;
    }
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return closed();
    bytes += received;
    size -= static_cast<std::size_t>(received);
  }
  return {};
}

}  // namespace

Result<void> wait_for_message(int socket, const MessageLimits& limits) {
  return wait_for(socket, POLLIN, limits);
}

Result<void> send_message(
    int socket,
    MessageKind kind,
    const Message& message,
    const MessageLimits& limits,
    int descriptor
) {
  const std::string& bytes = message.bytes();
  if (bytes.size() > limits.max_bytes) {
    return fail(
        Code::exhausted,
        "a call of {} bytes to or from a model's process is over the limit of {}",
        bytes.size(),
        limits.max_bytes
    );
  }
  MessageHeader header;
  header.kind = static_cast<std::uint16_t>(kind);
  header.size = bytes.size();
  std::array<iovec, 2> parts = {{
      {&header, sizeof header},
      {const_cast<char*>(bytes.data()), bytes.size()},
  }};
  msghdr envelope{};
  envelope.msg_iov = parts.data();
  envelope.msg_iovlen = parts.size();
  std::optional<DescriptorPassage> passage;
  if (descriptor >= 0) passage.emplace(envelope).put(descriptor);
  std::size_t left = sizeof header + bytes.size();
  while (left > 0) {
    const ssize_t sent = ::sendmsg(socket, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) {
      TRY(wait_for(socket, POLLOUT, limits));
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return closed();
    left -= static_cast<std::size_t>(sent);
    envelope.msg_control = nullptr;
    envelope.msg_controllen = 0;
    auto skipped = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t gone = std::min(skipped, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + gone;
      part.iov_len -= gone;
      skipped -= gone;
    }
  }
  return {};
}

Result<MessageKind> receive_message(
    int socket, Message& message, const MessageLimits& limits, int* descriptor
) {
  MessageHeader header;
  iovec part{&header, sizeof header};
  msghdr envelope{};
  envelope.msg_iov = &part;
  envelope.msg_iovlen = 1;
  std::optional<DescriptorPassage> passage;
  if (descriptor != nullptr) passage.emplace(envelope);
  ssize_t received = -1;
  while (received < 0) {
    TRY(wait_for(socket, POLLIN, limits));
    received = ::recvmsg(socket, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0 && errno != EAGAIN && errno != EINTR) return closed();
  }
  if (received == 0) return closed();
  if (descriptor != nullptr) *descriptor = passage->take();
  const auto begun = static_cast<std::size_t>(received);
  TRY(receive_bytes(socket, reinterpret_cast<char*>(&header) + begun, sizeof header - begun, limits)
  );
  if (header.magic != MessageHeader().magic || header.version != MessageHeader().version ||
      header.kind > static_cast<std::uint16_t>(MessageKind::failed) ||
      header.size > limits.max_bytes) {
    return fail(Code::corrupt, "the socket of a model's process carries what is no message");
  }
  std::string& bytes = message.reset_bytes(header.size);
  TRY(receive_bytes(socket, bytes.data(), bytes.size(), limits));
  return static_cast<MessageKind>(header.kind);
}

}  // namespace weir::model
