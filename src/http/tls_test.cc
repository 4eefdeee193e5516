#include "http/tls.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http/raw_client.h"
#include "http/server.h"
#include "http/test_certificate.h"

namespace weir::http {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A blocking client that believes every certificate.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int newest = TLS1_3_VERSION, std::string protocols = "")
      : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), ssl_(nullptr, &SSL_free) {
    SSL_CTX_set_max_proto_version(context_.get(), newest);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_security_level(context_.get(), 0);
    ssl_.reset(SSL_new(context_.get()));
    if (!protocols.empty()) {
      SSL_set_alpn_protos(
          ssl_.get(),
          reinterpret_cast<const unsigned char*>(protocols.data()),
          static_cast<unsigned>(protocols.size())
      );
    }
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit = {20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    SSL_set_fd(ssl_.get(), socket_);
    is_open_ = ::connect(socket_, name, sizeof(address)) == 0 && SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() { ::close(socket_); }

  bool is_open() const { return is_open_; }
  int version() const { return SSL_version(ssl_.get()); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string server_name() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_.get());
    char text[64] = "";
    X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate), NID_commonName, text, sizeof(text)
    );
    X509_free(certificate);
    return text;
  }
  bool send(std::string_view bytes) {
    std::size_t count = 0;
    return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count) == 1;
  }
  std::string receive(std::size_t wanted) {
    std::string bytes(wanted, '\0');
    std::size_t total = 0;
    std::size_t count = 0;
    while (total < wanted &&
           SSL_read_ex(ssl_.get(), bytes.data() + total, wanted - total, &count) == 1) {
      total += count;
    }
    bytes.resize(total);
    return bytes;
  }
  std::string receive_all() { return receive(64U << 20); }
  // The server has said that nothing follows, so what came is whole.
  bool was_told_the_end() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  int socket_ = -1;
  bool is_open_ = false;
};

class EchoHandler final : public Handler {
 public:
  Admission admit(const Request&, std::uint64_t) override { return {}; }
  void handle(Exchange& exchange) override {
    exchange.respond(200, "text/plain", exchange.request().body);
  }
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() : folder(fs::temp_directory_path() / ("weir_tls_" + std::to_string(::getpid()))) {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(folder);
    options.port = 0;
    options.tls = {path("certificate"), path("key")};
    write_certificate("first", options.tls.certificate, options.tls.key);
  }
  ~TlsTest() override { fs::remove_all(folder); }
  std::string path(const char* name) const { return (folder / name).string(); }
  void start() {
    auto created = Server::create(options, handler);
    ASSERT_TRUE(created) << created.error().message;
    server = std::move(*created);
    ASSERT_TRUE(server->run());
  }
  static std::string post(std::string_view body, std::string_view headers = "") {
    return "POST /p HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }
  void expect_echo(TlsClient& client, const std::string& body) {
    ASSERT_TRUE(client.send(post(body, "Connection: close\r\n")));
    const std::string answer = client.receive_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body));
    EXPECT_TRUE(client.was_told_the_end());
  }
  std::string error_of(const net::TlsFiles& files) {
    const auto opened = Tls::open(files);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().message;
  }

  fs::path folder;
  ServerOptions options;
  EchoHandler handler;
  std::unique_ptr<Server> server;
};

TEST_F(TlsTest, ServesRequestsOfAnySize) {
  start();
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t size : {0U, 1U, 16'384U, 100'000U, 3'000'000U}) {
      TlsClient client(server->port(), newest);
      ASSERT_TRUE(client.is_open());
      EXPECT_EQ(client.version(), newest);
      std::string body(size, 'x');
      for (std::size_t i = 0; i < size; i += 997) body[i] = static_cast<char>('a' + i % 26);
      expect_echo(client, body);
    }
  }
  EXPECT_EQ(server->counts().malformed, 0U);
}

TEST_F(TlsTest, AnswersManyRequestsOnOneConnection) {
  start();
  TlsClient client(server->port());
  std::string wanted;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(client.send(post("one") + post("two")));
    const std::string head_and_body = client.receive(1);
    ASSERT_EQ(head_and_body, "H");
    std::string text;
    while (!text.ends_with("\r\n\r\ntwo")) text += client.receive(1);
    ASSERT_THAT(text, HasSubstr("\r\n\r\noneHTTP/1.1 200"));
  }
}

TEST_F(TlsTest, SpeaksNothingOlderThanTls12) {
  start();
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).is_open());
}

TEST_F(TlsTest, AgreesOnHttp11) {
  start();
  TlsClient both(server->port(), TLS1_3_VERSION, "\x02h2\x08http/1.1");
  ASSERT_TRUE(both.is_open());
  EXPECT_EQ(both.protocol(), "http/1.1");
  EXPECT_FALSE(TlsClient(server->port(), TLS1_3_VERSION, "\x02h2").is_open());
}

TEST_F(TlsTest, ExchangesTheCertificateWhileConnectionsAreOpen) {
  start();
  TlsClient before(server->port());
  EXPECT_EQ(before.server_name(), "first");
  ASSERT_TRUE(server->reload_certificate(true));
  EXPECT_EQ(TlsClient(server->port()).server_name(), "first");
  write_certificate("second", options.tls.certificate, options.tls.key);
  EXPECT_EQ(TlsClient(server->port()).server_name(), "first");
  const auto reloaded = server->reload_certificate(true);
  ASSERT_TRUE(reloaded) << reloaded.error().message;
  EXPECT_EQ(TlsClient(server->port()).server_name(), "second");
  expect_echo(before, "still here");
}

TEST_F(TlsTest, KeepsTheOldCertificateWhenTheNewOneIsBroken) {
  start();
  { std::ofstream(options.tls.key) << "half a file"; }
  const auto reloaded = server->reload_certificate(true);
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().message, HasSubstr(options.tls.key));
  EXPECT_EQ(TlsClient(server->port()).server_name(), "first");
  EXPECT_TRUE(server->reload_certificate(true));  // Said once; unchanged since.
  EXPECT_FALSE(server->reload_certificate(false));
}

TEST_F(TlsTest, SaysWhichFileIsWrongAndWhy) {
  EXPECT_THAT(error_of({path("missing"), path("key")}), HasSubstr(path("missing")));
  EXPECT_THAT(error_of({path("certificate"), ""}), HasSubstr("--tls-key"));
  EXPECT_THAT(error_of({path("key"), path("key")}), HasSubstr("no certificate"));
  EXPECT_THAT(error_of({path("certificate"), path("certificate")}), HasSubstr("no private key"));
  write_certificate("other", path("other"), path("other_key"));
  EXPECT_THAT(error_of({path("certificate"), path("other_key")}), HasSubstr("does not belong"));
}

TEST_F(TlsTest, EndsWhoSpeaksNoTls) {
  start();
  RawClient plain(server->port());
  ASSERT_TRUE(plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(plain.receive_all(), testing::Not(HasSubstr("HTTP/1.1")));
  TlsClient client(server->port());
  expect_echo(client, "x");
}

TEST_F(TlsTest, EndsWhoNeverFinishesTheHandshake) {
  options.head_timeout_us = 50'000;
  start();
  RawClient silent(server->port());
  RawClient started(server->port());
  ASSERT_TRUE(started.send(std::string("\x16\x03\x01\x02\x00", 5)));
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(started.receive_all(), "");
  EXPECT_EQ(server->counts().timeouts, 2U);
}

TEST_F(TlsTest, ReadsAClientThatEndsWithoutAWord) {
  start();
  {
    TlsClient client(server->port());
    ASSERT_TRUE(client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhal"));
  }
  while (server->counts().connections_open > 0) {
  }
  TlsClient client(server->port());
  expect_echo(client, "x");
}

}  // namespace
}  // namespace weir::http
