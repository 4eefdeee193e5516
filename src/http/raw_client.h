#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// A TCP client for tests, which sends exactly the bytes it is told to.

namespace weir::http {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0) {
      setsockopt(
          socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes)
      );
    }
    // Only a failing test waits that long.
    const timeval limit = {20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        is_connected_(other.is_connected_),
        received_(std::move(other.received_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  bool is_connected() const { return is_connected_; }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // The connection ends with a reset, not in order.
  void reset() {
    const linger at_once = {1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close();
  }
  void close_sending() { ::shutdown(socket_, SHUT_WR); }
  // False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  // As much as fits without waiting.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

  // One whole answer that has a Content-Length, head and body.
  std::string receive_answer() {
    std::size_t head_end = 0;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive_more()) return std::exchange(received_, {});
    }
    head_end += 4;
    const std::size_t field = received_.find("Content-Length: ");
    const std::size_t length =
        field < head_end ? std::stoul(received_.substr(field + sizeof("Content-Length: ") - 1)) : 0;
    return receive_bytes(head_end + length);
  }
  std::string receive_bytes(std::size_t count) {
    while (received_.size() < count && receive_more()) {
    }
    std::string bytes = received_.substr(0, count);
    received_.erase(0, count);
    return bytes;
  }
  // Everything until the server closes; `was_reset` tells how it did.
  std::string receive_all() {
    while (receive_more()) {
    }
    return std::exchange(received_, {});
  }
  bool was_reset() const { return was_reset_; }

 private:
  bool receive_more() {
    char bytes[16 * 1024];
    const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
    if (count < 0) {
      was_reset_ = errno == ECONNRESET;
      EXPECT_TRUE(was_reset_) << "the server neither answers nor closes: errno " << errno;
    }
    return count > 0;
  }

  int socket_;
  bool is_connected_ = false;
  bool was_reset_ = false;
  std::string received_;
};

}  // namespace weir::http
