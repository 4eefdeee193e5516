#include "table/packet.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"

namespace weir::table {
namespace {

struct PacketHeader {
  std::uint32_t magic;
  std::uint32_t kind;
  std::uint64_t size;
};

constexpr std::uint32_t packet_magic = 0x57454952;  // "WEIR"

Result<void> wait_for(int socket, short events, std::int64_t deadline_ns) {
  for (;;) {
    int wait_ms = -1;
    if (deadline_ns != 0) {
      const std::int64_t left_ms = (deadline_ns - monotonic_ns()) / 1'000'000;
      if (left_ms <= 0) return fail(Code::deadline, "the worker process took too long");
      wait_ms =
          static_cast<int>(std::min<std::int64_t>(left_ms + 1, std::numeric_limits<int>::max()));
    }
    pollfd descriptor{.fd = socket, .events = events, .revents = 0};
    const int ready = ::poll(&descriptor, 1, wait_ms);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) {
      return tl::unexpected(system_error("wait for", "the worker's socket"));
    }
  }
}

Result<void> send_bytes(int socket, const char* bytes, std::size_t size, std::int64_t deadline_ns) {
  while (size > 0) {
    TRY(wait_for(socket, POLLOUT, deadline_ns));
    const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return fail(Code::unavailable, "the worker's socket is closed");
    }
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return {};
}

Result<void> receive_bytes(int socket, char* bytes, std::size_t size, std::int64_t deadline_ns) {
  while (size > 0) {
    TRY(wait_for(socket, POLLIN, deadline_ns));
    const ssize_t received = ::recv(socket, bytes, size, MSG_DONTWAIT);
    if (received < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (received <= 0) return fail(Code::unavailable, "the worker's socket is closed");
    bytes += received;
    size -= static_cast<std::size_t>(received);
  }
  return {};
}

}  // namespace

void Packet::put(std::uint64_t number) {
  std::array<char, sizeof number> bytes{};
  std::memcpy(bytes.data(), &number, sizeof number);
  bytes_.append(bytes.data(), bytes.size());
}

void Packet::put(std::string_view text) {
  put(static_cast<std::uint64_t>(text.size()));
  bytes_.append(text);
}

void Packet::put(std::span<const std::string> texts) {
  put(static_cast<std::uint64_t>(texts.size()));
  for (const std::string& text : texts) put(std::string_view(text));
}

Result<std::uint64_t> Packet::take_number() {
  std::uint64_t number = 0;
  if (bytes_.size() - position_ < sizeof number) {
    return fail(Code::corrupt, "a packet of the worker is too short");
  }
  std::memcpy(&number, bytes_.data() + position_, sizeof number);
  position_ += sizeof number;
  return number;
}

Result<std::string> Packet::take_text() {
  return std::string(TRY(take_view()));
}

Result<std::string_view> Packet::take_view() {
  const std::uint64_t size = TRY(take_number());
  if (bytes_.size() - position_ < size) {
    return fail(Code::corrupt, "a text in a packet of the worker is too short");
  }
  const std::string_view text = std::string_view(bytes_).substr(position_, size);
  position_ += size;
  return text;
}

Result<std::vector<std::string>> Packet::take_texts() {
  const std::uint64_t count = TRY(take_number());
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < count; ++i) {
    texts.push_back(TRY(take_text()));
  }
  return texts;
}

Result<void> send_packet(int socket, const Packet& packet, const PacketLimits& limits) {
  const std::string& bytes = packet.bytes();
  if (bytes.size() > limits.max_bytes) {
    return fail(
        Code::exhausted,
        "a message of {} bytes to or from the worker is over the limit of {}",
        bytes.size(),
        limits.max_bytes
    );
  }
  const PacketHeader header{packet_magic, static_cast<std::uint32_t>(packet.kind()), bytes.size()};
  TRY(send_bytes(socket, reinterpret_cast<const char*>(&header), sizeof header, limits.deadline_ns)
  );
  return send_bytes(socket, bytes.data(), bytes.size(), limits.deadline_ns);
}

Result<Packet> receive_packet(int socket, const PacketLimits& limits) {
  PacketHeader header{};
  TRY(receive_bytes(socket, reinterpret_cast<char*>(&header), sizeof header, limits.deadline_ns));
  if (header.magic != packet_magic ||
      header.kind > static_cast<std::uint32_t>(PacketKind::failed) ||
      header.size > limits.max_bytes) {
    return fail(Code::corrupt, "the worker's socket carries something that is not a packet");
  }
  std::string bytes(header.size, '\0');
  TRY(receive_bytes(socket, bytes.data(), bytes.size(), limits.deadline_ns));
  return Packet(static_cast<PacketKind>(header.kind), std::move(bytes));
}

}  // namespace weir::table
