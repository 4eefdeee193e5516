#include "model/remote_session.h"

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model/model_fixture.h"

namespace weir::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string http(int status, std::string_view body, std::string_view headers = "") {
  return fmt::format(
      "HTTP/1.1 {} X\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body
  );
}

// Answers each request with what a function makes of its head and body; an empty answer closes the
// connection. One thread for each connection.
class TinyServer {
 public:
  using Answer = std::function<std::string(const std::string& head, const std::string& body)>;

  explicit TinyServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listener_, generic, size) == 0, "a free port exists");
    CHECK(::listen(listener_, 16) == 0, "a bound socket listens");
    CHECK(::getsockname(listener_, generic, &size) == 0, "a bound socket has a name");
    port_ = ::ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;
  ~TinyServer() {
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (const int connection : connections_) ::shutdown(connection, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int connection : connections_) ::close(connection);
    ::close(listener_);
  }

  std::string authority() const { return fmt::format("127.0.0.1:{}", port_); }
  std::string address() const { return fmt::format("http://{}/v2/models/m\n", authority()); }
  int connections() const { return count_; }

 private:
  void accept_all() {
    while (true) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      connections_.push_back(connection);
      ++count_;
      threads_.emplace_back([this, connection] { serve(connection); });
    }
  }
  void serve(int connection) const {
    std::string text;
    while (true) {
      std::size_t head_end = text.find("\r\n\r\n");
      const std::size_t field = text.find("\r\nContent-Length: ");
      const std::size_t length =
          field < head_end ? std::stoul(text.substr(field + 18)) : std::size_t{0};
      if (head_end != std::string::npos && text.size() >= head_end + 4 + length) {
        head_end += 4;
        const std::string answer = answer_(text.substr(0, head_end), text.substr(head_end, length));
        text.erase(0, head_end + length);
        if (answer.empty()) break;
        if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
        continue;
      }
      std::array<char, 4096> buffer{};
      const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::shutdown(connection, SHUT_RDWR);
  }

  Answer answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> count_{0};
  std::vector<int> connections_;      // Of the accepting thread, until it has ended.
  std::vector<std::thread> threads_;  // Likewise.
  std::thread accepting_;
};

constexpr std::string_view metadata =
    R"({"name":"m","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],)"
    R"("outputs":[{"name":"y","datatype":"FP32","shape":[-1,1]}]})";

// Takes JSON only, and answers calls with `infer`.
TinyServer::Answer json_server(TinyServer::Answer infer) {
  return [infer = std::move(infer)](const std::string& head, const std::string& body) {
    if (head.starts_with("GET /v2 ")) return http(200, R"({"extensions":[]})");
    if (head.starts_with("GET /v2/models/m ")) return http(200, metadata);
    return infer(head, body);
  };
}

class PendingInference final : public Inference {
 public:
  void complete() override { done_.set_value(); }
  void run(Session& session) {
    if (session.infer(*this) == Progress::pending) done_.get_future().wait();
  }

 private:
  std::promise<void> done_;
};

void fill(Inference& call) {
  tensor::Tensor& tensor = call.inputs.emplace_back();
  tensor.reset(tensor::DataType::fp32, {1, 2});
  tensor.values<float>()[0] = 1;
  tensor.values<float>()[1] = 2;
}

constexpr std::string_view answer =
    R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1,1],"data":[3.5]}]})";

TEST(RemoteSession, AsksForTheSignatureAndKeepsItsConnection) {
  const TinyServer server(json_server([](const std::string& head, const std::string& body) {
    EXPECT_THAT(head, HasSubstr("POST /v2/models/m/infer HTTP/1.1\r\n"));
    EXPECT_THAT(head, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(body, HasSubstr(R"("data":[)"));
    return http(200, answer);
  }));
  const auto session = load_remote(server.address(), "m.remote", {.remote_connections = 1});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ((*session)->signature().platform, "remote_v2");
  EXPECT_TRUE((*session)->signature().has_row_axis);
  EXPECT_EQ((*session)->signature().task, Task::regression);
  const int before = server.connections();
  for (int i = 0; i < 5; ++i) {
    PendingInference call;
    fill(call);
    call.run(**session);
    ASSERT_TRUE(call.status) << call.status.error().message;
    EXPECT_THAT(values_of<float>(call.outputs.at(0)), ElementsAre(3.5F));
    EXPECT_GT(call.run_ns, 0);
  }
  EXPECT_EQ(server.connections(), before + 1);
}

TEST(RemoteSession, SpeaksBinaryToAServerThatListsIt) {
  const TinyServer server([](const std::string& head, const std::string& body) {
    if (head.starts_with("GET /v2 ")) return http(200, R"({"extensions":["binary_tensor_data"]})");
    if (head.starts_with("GET ")) return http(200, metadata);
    EXPECT_THAT(head, HasSubstr("Inference-Header-Content-Length: "));
    EXPECT_EQ(body.substr(body.size() - 4), std::string("\0\0\0\x40", 4));
    const std::string json = R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1,1],)"
                             R"("parameters":{"binary_data_size":4}}]})";
    const std::string length = fmt::format("inference-header-content-length: {}\r\n", json.size());
    return http(200, json + std::string("\0\0\x80\x3f", 4), length);
  });
  const auto session = load_remote(server.address(), "m.remote", {});
  ASSERT_TRUE(session) << session.error().message;
  PendingInference call;
  fill(call);
  call.run(**session);
  ASSERT_TRUE(call.status) << call.status.error().message;
  EXPECT_THAT(values_of<float>(call.outputs.at(0)), ElementsAre(1.0F));
}

TEST(RemoteSession, GivesStatusesTheMeaningThatTheyHaveForOurClient) {
  std::atomic<int> status = 0;
  const TinyServer server(json_server([&](const std::string&, const std::string&) {
    return http(status, R"({"error":"it says no"})");
  }));
  const auto session = load_remote(server.address(), "m.remote", {});
  ASSERT_TRUE(session);
  const std::vector<std::pair<int, Code>> meanings = {
      {400, Code::invalid_argument},
      {401, Code::unavailable},
      {404, Code::unavailable},
      {408, Code::deadline},
      {413, Code::invalid_argument},
      {429, Code::exhausted},
      {500, Code::internal},
      {503, Code::unavailable},
      {504, Code::deadline},
  };
  for (const auto& [given, code] : meanings) {
    status = given;
    PendingInference call;
    fill(call);
    call.run(**session);
    ASSERT_FALSE(call.status);
    EXPECT_EQ(call.status.error().code, code) << given;
    EXPECT_THAT(
        call.status.error().message,
        HasSubstr(fmt::format("{} answers {}: it says no", server.authority(), given))
    );
  }
}

TEST(RemoteSession, EndsACallAtItsDeadlineAndOneThatIsCutOff) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<bool> is_hanging = true;
  const TinyServer server(json_server([&](const std::string&, const std::string&) {
    if (is_hanging) released.wait();
    return std::string();
  }));
  const auto session = load_remote(server.address(), "m.remote", {});
  ASSERT_TRUE(session);
  PendingInference late;
  fill(late);
  late.deadline = now_us() + 20'000;
  late.run(**session);
  ASSERT_FALSE(late.status);
  EXPECT_EQ(late.status.error().code, Code::deadline);
  is_hanging = false;
  PendingInference cut;
  fill(cut);
  cut.run(**session);
  ASSERT_FALSE(cut.status);
  EXPECT_EQ(cut.status.error().code, Code::unavailable);
  release.set_value();
}

TEST(RemoteSession, RefusesWhatLeadsToNoModel) {
  const auto error_of = [](std::string_view text) {
    const auto address = parse_remote_address(text);
    return address ? "it was taken" : address.error().message;
  };
  EXPECT_THAT(error_of("http://h:1/v2/models/"), HasSubstr("names no model"));
  EXPECT_THAT(error_of("http://h:1/"), HasSubstr("names no model"));
  EXPECT_THAT(error_of("ftp://h:1/v2/models/m"), HasSubstr("is not an address"));
  EXPECT_THAT(error_of("http://h/v2/models/m x"), HasSubstr("holds no address"));
  EXPECT_THAT(error_of("http://h/v2/models/m\x01"), HasSubstr("holds no address"));
  EXPECT_THAT(error_of("http://h/v2/models/m?x=1"), HasSubstr("holds no address"));
  EXPECT_THAT(error_of(""), HasSubstr("is not an address"));
  const auto address = parse_remote_address("  http://h:8000/a/v2/models/m/versions/2/ \r\nnotes");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->server.authority(), "h:8000");
  EXPECT_EQ(address->prefix, "/a");
  EXPECT_EQ(address->model, "/a/v2/models/m/versions/2");
  const TinyServer server([](const std::string& head, const std::string&) {
    const bool is_server = head.starts_with("GET /v2 ");
    return http(200, is_server ? "{}" : R"({"inputs":[],"outputs":[]})");
  });
  const auto session = load_remote(server.address(), "m.remote", {});
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, HasSubstr("cannot load 'm.remote'"));
  EXPECT_THAT(session.error().message, HasSubstr("does not say which inputs"));
}

}  // namespace
}  // namespace weir::model
