#include "http/loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "http/connection.h"

namespace weir::http {
namespace {

constexpr int max_events = 1024;
// After so long the loop looks who else has come, so that it can tell them when it is too late.
constexpr std::int64_t look_again_ns = 2'000'000;
constexpr int max_accepts = 64;  // In one go; the others of this loop want their turn too.
constexpr std::int64_t accept_pause_ns = 100'000'000;
constexpr std::int64_t accept_warning_interval_ns = 10'000'000'000;

// "127.0.0.1:51234" or "[::1]:51234".
std::string peer_name(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(ipv6.sin6_port));
  }
  const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &ipv4.sin_addr, text.data(), text.size());
  return fmt::format("{}:{}", text.data(), ntohs(ipv4.sin_port));
}

}  // namespace

class SocketConnection final : public Connection {
 public:
  enum class Kind : std::uint8_t { accepted, refused };

  SocketConnection(
      Context& context, int socket, Kind kind, std::string_view peer, std::unique_ptr<TlsWire> tls
  )
      : Connection(context, peer), socket_(socket), kind_(kind), tls_(std::move(tls)) {}
  ~SocketConnection() override {
    if (socket_ >= 0) ::close(socket_);
  }
  Kind kind() const { return kind_; }

  bool has_arrived = false;      // Is in the loop's Arrivals…
  bool has_half_closed = false;  // …and its client has closed its side.

  // The socket takes bytes again; with TLS that may be what reading waits for.
  void on_room() {
    if (tls_ && tls_->wants_room()) return on_readable(false);
    on_writable();
  }

 private:
  ssize_t receive(std::span<char> space) override {
    if (tls_) return tls_->receive(space);
    return ::recv(socket_, space.data(), space.size(), 0);
  }
  ssize_t transmit(std::span<const iovec> parts) override {
    if (tls_) return tls_->transmit(parts);
    if (parts.size() == 1) {
      return ::send(socket_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = parts.size();
    return ::sendmsg(socket_, &message, MSG_NOSIGNAL);
  }
  void shut_down_sending() override {
    if (tls_) tls_->say_goodbye();
    ::shutdown(socket_, SHUT_WR);
  }
  bool is_wire_open() const override { return !tls_ || tls_->is_open(); }
  void close_wire() override {
    if (tls_) tls_->say_goodbye();
    tls_.reset();
    ::close(socket_);
    socket_ = -1;
  }

  int socket_;
  const Kind kind_;
  std::unique_ptr<TlsWire> tls_;  // None without TLS.
};

Result<std::unique_ptr<EventLoop>> EventLoop::create(ServerShared& shared, std::size_t index) {
  std::unique_ptr<EventLoop> loop(new EventLoop(shared, index));
  TRY(loop->open());
  return loop;
}

EventLoop::EventLoop(ServerShared& shared, std::size_t index)
    : shared_(shared),
      index_(index),
      context_(shared.options, shared.handler, *this, shared.budget),
      arrivals_(shared.options.arrivals) {
  context_.access_log = shared.access_log;
}

EventLoop::~EventLoop() {
  // Those of which the handler has not answered the exchange; it was told that it is over.
  context_.waits.for_each([](Waiter& waiter) { delete &static_cast<SocketConnection&>(waiter); });
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
}

Result<void> EventLoop::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_ < 0 || wake_ < 0) return tl::unexpected(system_error("open", "epoll and eventfd"));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = &wake_;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    return tl::unexpected(system_error("watch", "eventfd"));
  }
  context_.now_ns = monotonic_ns();
  watch_listener(true);
  return {};
}

// The listener is in every loop's epoll; the system wakes one of those that wait.
void EventLoop::watch_listener(bool is_on) {
  if (is_on == is_listening_) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.ptr = &is_listening_;
  const int outcome =
      epoll_ctl(epoll_, is_on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, shared_.listener, &event);
  CHECK(outcome == 0, "the listener is open as long as a loop uses it");
  is_listening_ = is_on;
}

void EventLoop::run() {
  while (stop_ns_ == INT64_MAX || (connection_count_ > 0 && context_.now_ns < stop_ns_)) turn();
  stop();
}

void EventLoop::turn() {
  look();
  serve_arrivals();
  ready_.swap(context_.ready);
  for (Connection* connection : ready_) connection->on_ready();
  ready_.clear();
  while (Waiter* waiter = context_.waits.expired(context_.now_ns)) {
    static_cast<SocketConnection*>(waiter)->on_expired();
  }
  if (context_.now_ns >= listen_again_ns_) {
    listen_again_ns_ = INT64_MAX;
    watch_listener(true);
  }
  delete_finished();
}

void EventLoop::look() {
  std::array<epoll_event, max_events> events;
  const int count = epoll_wait(epoll_, events.data(), max_events, milliseconds_to_wait());
  context_.now_ns = monotonic_ns();
  context_.seen_ns = context_.now_ns;
  context_.is_behind = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == &wake_) {
      run_posted();
    } else if (event.data.ptr == &is_listening_) {
      accept_all();
    } else {
      auto& connection = *static_cast<SocketConnection*>(event.data.ptr);
      if ((event.events & (EPOLLHUP | EPOLLERR)) != 0) {
        connection.on_lost();
      } else if ((event.events & (EPOLLIN | EPOLLRDHUP)) != 0) {
        arrive(connection, (event.events & EPOLLRDHUP) != 0);
      } else {
        connection.on_room();
      }
    }
  }
}

// Who would have to wait too long has its turn at once, to be refused.
void EventLoop::arrive(SocketConnection& connection, bool is_half_closed) {
  connection.has_half_closed = connection.has_half_closed || is_half_closed;
  if (connection.has_arrived) return;
  context_.ahead_ns = arrivals_.too_long_ns(context_.now_ns);
  if (context_.ahead_ns > 0 && connection.is_between_requests()) {
    connection.on_readable(connection.has_half_closed);
  } else {
    connection.has_arrived = true;
    arrivals_.push({&connection, context_.now_ns});
  }
  context_.ahead_ns = 0;
}

void EventLoop::serve_arrivals() {
  std::int64_t now_ns = context_.now_ns;
  while (!arrivals_.is_empty() && now_ns - context_.now_ns < look_again_ns) {
    const Arrival arrival = arrivals_.pop(now_ns);
    context_.seen_ns = arrival.seen_ns;
    context_.is_behind = arrivals_.is_long(now_ns - arrival.seen_ns);
    arrival.connection->has_arrived = false;
    arrival.connection->on_readable(arrival.connection->has_half_closed);
    now_ns = monotonic_ns();
  }
  if (arrivals_.is_empty()) arrivals_.rest(now_ns);
  context_.seen_ns = context_.now_ns;
  context_.is_behind = false;
}

int EventLoop::milliseconds_to_wait() const {
  if (!context_.ready.empty() || !arrivals_.is_empty()) return 0;
  const std::int64_t next =
      std::min({context_.waits.next_deadline_ns(), listen_again_ns_, stop_ns_});
  if (next == INT64_MAX) return -1;
  const std::int64_t left_ms = (next - context_.now_ns + 999'999) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 3'600'000));
}

void EventLoop::accept_all() {
  // With several loops each takes one at a time, so that a burst spreads over them.
  const int most = shared_.options.threads > 1 ? 1 : max_accepts;
  for (int i = 0; i < most && accept_one(); ++i) {
  }
}

// The system has no file or memory for a connection just now; it would say so again and again.
void EventLoop::pause_accepting(int reason) {
  if (context_.now_ns >= next_warning_ns_) {
    LOG(warning,
        "no room for one more connection: {}; they wait until there is (ulimit -n raises the limit "
        "of open files)",
        std::generic_category().message(reason));
    next_warning_ns_ = context_.now_ns + accept_warning_interval_ns;
  }
  context_.counts.accept_failures.add();
  watch_listener(false);
  listen_again_ns_ = context_.now_ns + accept_pause_ns;
}

bool EventLoop::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  const int socket = shared_.accept(
      shared_.listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC
  );
  if (socket < 0) {
    const int reason = errno;
    if (reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM) {
      pause_accepting(reason);
    }
    return reason == ECONNABORTED || reason == EINTR;
  }
  using Kind = SocketConnection::Kind;
  Kind kind = Kind::accepted;
  if (++shared_.connections_open > shared_.options.max_connections) {
    --shared_.connections_open;
    kind = Kind::refused;
    context_.counts.connections_refused.add();
    if (++shared_.refused_open > shared_.options.max_refused_open) {
      --shared_.refused_open;
      ::close(socket);
      return true;
    }
  } else {
    context_.counts.connections_total.add();
  }
  auto* connection = new SocketConnection(
      context_,
      socket,
      kind,
      peer_name(address),
      shared_.tls == nullptr ? nullptr : shared_.tls->accept(socket)
  );
  ++connection_count_;
  connection->start();
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = static_cast<void*>(connection);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) {
    connection->on_lost();
  } else if (kind == Kind::refused) {
    connection->refuse_connection();
  }
  return true;
}

bool EventLoop::post(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  if (is_stopped_) return false;
  posted_.push_back(std::move(function));
  // One wake-up serves all that are posted before the loop takes them.
  if (posted_.size() == 1) {
    const std::uint64_t one = 1;
    const ssize_t written = ::write(wake_, &one, sizeof(one));
    CHECK(written == sizeof(one), "an eventfd that is read now and then is never full");
  }
  return true;
}

void EventLoop::run_posted() {
  std::uint64_t count = 0;
  // Read first: what is posted from here on wakes the loop again.
  [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof(count));
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (const std::function<void()>& function : running_) function();
  running_.clear();
}

void EventLoop::retire() {
  post([this] { context_.is_retiring = true; });
}

void EventLoop::drain(std::int64_t drain_us, std::latch& has_let_go) {
  const bool is_posted = post([this, drain_us, &has_let_go] {
    begin_drain(drain_us);
    has_let_go.count_down();
  });
  if (!is_posted) has_let_go.count_down();
}

void EventLoop::begin_drain(std::int64_t drain_us) {
  if (is_listening_) accept_all();  // Who has connected already is not turned away.
  watch_listener(false);
  listen_again_ns_ = INT64_MAX;
  context_.is_retiring = true;
  context_.is_draining = true;
  stop_ns_ = context_.now_ns + std::max<std::int64_t>(drain_us, 0) * 1000;
  context_.waits.for_each([](Waiter& waiter) { static_cast<SocketConnection&>(waiter).on_drain(); }
  );
}

void EventLoop::delete_finished() {
  for (Connection* finished : context_.finished) {
    auto* connection = static_cast<SocketConnection*>(finished);
    const bool is_accepted = connection->kind() == SocketConnection::Kind::accepted;
    --(is_accepted ? shared_.connections_open : shared_.refused_open);
    --connection_count_;
    if (connection->has_arrived) arrivals_.remove(*connection);
    delete connection;
  }
  context_.finished.clear();
}

// Whatever is still open is cut off.
void EventLoop::stop() {
  std::vector<std::function<void()>> never_run;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    never_run.swap(posted_);
  }
  context_.waits.for_each([](Waiter& waiter) { static_cast<SocketConnection&>(waiter).on_lost(); });
  delete_finished();
}

}  // namespace weir::http
