#include "http/listener.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr int backlog = 4096;  // The system cuts it to net.core.somaxconn.

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> resolve(
    const std::string& address, std::uint16_t port, const ListenWords& words
) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int outcome = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (outcome != 0 || address.empty()) {
    return fail(
        Code::invalid_argument,
        "'{}' is not an address to listen on: {}; give one with {} HOST:PORT, for example "
        "127.0.0.1:{}",
        address,
        address.empty() ? "it is empty" : gai_strerror(outcome),
        words.flag,
        words.usual_port
    );
  }
  return Addresses(found, &freeaddrinfo);
}

// What bind and listen say, in the words of who started the server.
tl::unexpected<Error> cannot_listen(
    int error, const std::string& address, std::uint16_t port, const char* flag
) {
  switch (error) {
    case EADDRINUSE:
      return fail(
          Code::conflict,
          "port {} on {} is in use; stop the other program or give another port with "
          "{} HOST:PORT",
          port,
          address,
          flag
      );
    case EADDRNOTAVAIL:
      return fail(
          Code::invalid_argument,
          "{} is not an address of this machine; give one of its own with {} HOST:PORT, for "
          "example 127.0.0.1:{}",
          address,
          flag,
          port
      );
    case EACCES:
      return fail(
          Code::invalid_argument,
          "port {} on {} needs a privilege; give a port above 1023 with {} HOST:PORT",
          port,
          address,
          flag
      );
    default:
      return fail(
          Code::unavailable,
          "cannot listen on port {} of {}: {}",
          port,
          address,
          std::generic_category().message(error)
      );
  }
}

sockaddr_storage name_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  const int outcome = getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  CHECK(outcome == 0, "a socket that listens has an address");
  return address;
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage address = name_of(descriptor);
  return ntohs(
      address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                    : reinterpret_cast<sockaddr_in&>(address).sin_port
  );
}

}  // namespace

Result<Listener> Listener::open(
    const std::string& address, std::uint16_t port, const ListenWords& words
) {
  const Addresses addresses = TRY(resolve(address, port, words));
  int error = 0;
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    Listener listener(
        ::socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol),
        0
    );
    const int descriptor = listener.descriptor_;
    const int on = 1;
    // A restart does not wait for connections of the time before to be forgotten. Accepted sockets
    // inherit TCP_NODELAY: an answer goes out at once.
    if (descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
        bind(descriptor, one->ai_addr, one->ai_addrlen) == 0 && listen(descriptor, backlog) == 0) {
      listener.port_ = port_of(descriptor);
      return listener;
    }
    // The first reason is that of the address which the system thinks best.
    if (error == 0) error = errno;
  }
  return cannot_listen(error, address, port, words.flag);
}

Result<Listener> Listener::adopt(int descriptor) {
  Listener listener(descriptor, 0);
  int is_listening = 0;
  socklen_t size = sizeof(is_listening);
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 ||
      is_listening == 0) {
    return fail(Code::invalid_argument, "descriptor {} is no socket that listens", descriptor);
  }
  const sa_family_t family = name_of(descriptor).ss_family;
  if (family != AF_INET && family != AF_INET6) {
    return fail(Code::invalid_argument, "the socket of descriptor {} is not TCP", descriptor);
  }
  const int on = 1;
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  listener.port_ = port_of(descriptor);
  return listener;
}

std::string Listener::address() const {
  const sockaddr_storage address = name_of(descriptor_);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
  } else {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &ipv4.sin_addr, text.data(), text.size());
  }
  return text.data();
}

Result<std::optional<int>> inherited_listener() {
  constexpr int first_descriptor = 3;
  const auto take = [](const char* name) {
    const char* text = std::getenv(name);
    const std::string_view digits = text == nullptr ? "" : text;
    long number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    unsetenv(name);
    return number;
  };
  const long process = take("LISTEN_PID");
  const long count = take("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  // Meant for a parent of ours, who did not clear it.
  if (process != getpid() || count <= 0) return std::optional<int>();
  if (count == 1) return std::optional<int>(first_descriptor);
  return fail(
      Code::invalid_argument,
      "{} sockets were handed in (LISTEN_FDS); Weir takes one, for HTTP",
      count
  );
}

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(port_, other.port_);
  return *this;
}

void Listener::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace weir::http
