#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

// An open loop: requests are due at random moments of a given rate, whether or not earlier ones
// have been answered, and latency counts from the moment at which a request was due.
//
//   open_loop PORT PATH BODIES RATE SECONDS CONNECTIONS
//
// BODIES is a file with one body a line, sent in turn. Writes one line of JSON: how many were due,
// answered with 200 and refused with 503, those that found no free connection, quantiles in µs, and
// a histogram of the latency: pairs of a lower edge in µs and a count, 20 edges to a power of ten.

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

constexpr double steps_per_decade = 20;

struct Connection {
  int socket = -1;
  bool is_waiting = false;
  std::int64_t due_ns = 0;
  std::int64_t sent_ns = 0;
  std::string received;
};

class OpenLoop {
 public:
  OpenLoop(int port, std::vector<std::string> requests, std::size_t connections)
      : port_(port), requests_(std::move(requests)), connections_(connections) {
    epoll_ = ::epoll_create1(0);
    for (Connection& connection : connections_) {
      connect(connection);
      free_.push_back(&connection);
    }
  }

  void run(double rate, double seconds) {
    std::mt19937_64 random(7);
    std::exponential_distribution<double> gap(rate / 1e9);
    const std::int64_t begin_ns = now_ns();
    const std::int64_t end_ns = begin_ns + static_cast<std::int64_t>(seconds * 1e9);
    const std::int64_t patience_ns = end_ns + 5'000'000'000;
    double next_ns = static_cast<double>(begin_ns) + gap(random);
    while (true) {
      const std::int64_t now = now_ns();
      while (next_ns <= static_cast<double>(std::min(now, end_ns))) {
        ++due_;
        send_one(static_cast<std::int64_t>(next_ns));
        next_ns += gap(random);
      }
      const bool is_over = next_ns > static_cast<double>(end_ns) && now >= end_ns;
      if (is_over && (free_.size() == connections_.size() || now > patience_ns)) break;
      const double left_ns = next_ns - static_cast<double>(now);
      receive(is_over ? 100 : left_ns > 2e6 ? 1 : 0);
    }
    seconds_ = seconds;
  }

  void print() {
    const auto quantile = [](std::vector<std::int64_t>& values, double share) {
      if (values.empty()) return 0.0;
      std::sort(values.begin(), values.end());
      const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
      return static_cast<double>(values[index]) / 1e3;
    };
    std::printf(
        "{\"due\": %zu, \"ok\": %zu, \"refused\": %zu, \"other\": %zu, \"no_connection\": %zu, "
        "\"rate\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"refused_p50\": %.1f, \"refused_p99\": "
        "%.1f, \"histogram\": [",
        due_,
        ok_.size(),
        refused_.size(),
        other_,
        no_connection_,
        static_cast<double>(ok_.size()) / seconds_,
        quantile(ok_, 0.5),
        quantile(ok_, 0.99),
        quantile(refused_, 0.5),
        quantile(refused_, 0.99)
    );
    std::map<int, std::size_t> histogram;
    for (const std::int64_t ns : ok_) {
      const double us = std::max(static_cast<double>(ns) / 1e3, 1.0);
      ++histogram[static_cast<int>(std::log10(us) * steps_per_decade)];
    }
    const char* before = "";
    for (const auto& [step, count] : histogram) {
      std::printf("%s[%.1f, %zu]", before, std::pow(10, step / steps_per_decade), count);
      before = ", ";
    }
    std::printf("]}\n");
  }

 private:
  void connect(Connection& connection) {
    connection.socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      die("connect");
    }
    const int one = 1;
    ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ::fcntl(connection.socket, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
  }

  // A server may close a connection that rests; a request that was on its way then is lost.
  void reconnect(Connection& connection) {
    ::close(connection.socket);
    connect(connection);
    if (!connection.is_waiting) return;
    ++other_;
    release(connection);
  }

  void release(Connection& connection) {
    connection.is_waiting = false;
    free_.push_back(&connection);
  }

  // Without a free connection the request is lost, as one is that a client gives up on.
  void send_one(std::int64_t due_ns) {
    if (free_.empty()) {
      ++no_connection_;
      return;
    }
    Connection& connection = *free_.front();
    free_.pop_front();
    connection.due_ns = due_ns;
    connection.sent_ns = now_ns();
    connection.received.clear();
    connection.is_waiting = true;
    const std::string& request = requests_[due_ % requests_.size()];
    const ssize_t sent = ::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) reconnect(connection);
  }

  void receive(int wait_ms) {
    epoll_event events[256];
    const int count = ::epoll_wait(epoll_, events, 256, wait_ms);
    for (int i = 0; i < count; ++i) {
      Connection& connection = *static_cast<Connection*>(events[i].data.ptr);
      char buffer[16384];
      const ssize_t got = ::recv(connection.socket, buffer, sizeof(buffer), 0);
      if (got <= 0) {
        reconnect(connection);
        continue;
      }
      connection.received.append(buffer, static_cast<std::size_t>(got));
      finish(connection);
    }
  }

  void finish(Connection& connection) {
    const std::string& text = connection.received;
    const std::size_t head = text.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const char* length = ::strcasestr(text.c_str(), "\r\ncontent-length:");
    if (length == nullptr || length > text.c_str() + head) die("an answer without a length");
    const auto body = static_cast<std::size_t>(std::atoll(length + 17));
    if (text.size() < head + 4 + body) return;
    const std::string status = text.substr(9, 3);
    if (status == "200") {
      ok_.push_back(now_ns() - connection.due_ns);
    } else if (status == "503") {
      refused_.push_back(now_ns() - connection.sent_ns);
    } else {
      ++other_;
    }
    release(connection);
  }

  const int port_;
  const std::vector<std::string> requests_;
  std::vector<Connection> connections_;
  std::deque<Connection*> free_;
  int epoll_ = -1;
  double seconds_ = 1;
  std::size_t due_ = 0;
  std::size_t other_ = 0;
  std::size_t no_connection_ = 0;
  std::vector<std::int64_t> ok_;
  std::vector<std::int64_t> refused_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) {
    std::fprintf(stderr, "open_loop PORT PATH BODIES RATE SECONDS CONNECTIONS\n");
    return 2;
  }
  const std::string head = std::string("POST ") + arguments[2] +
                           " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           "Content-Length: ";
  std::vector<std::string> requests;
  std::ifstream bodies(arguments[3]);
  for (std::string body; std::getline(bodies, body);) {
    requests.push_back(head + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  if (requests.empty()) die(arguments[3]);
  OpenLoop loop(
      std::atoi(arguments[1]),
      std::move(requests),
      static_cast<std::size_t>(std::atoi(arguments[6]))
  );
  loop.run(std::atof(arguments[4]), std::atof(arguments[5]));
  loop.print();
  return 0;
}
