#include "http/tls.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/check.h"

namespace weir::http {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
using Bytes = const unsigned char*;

// Of the protocols that a client offers the only one spoken here; without an offer it is meant.
int choose_protocol(
    [[maybe_unused]] SSL* ssl,
    Bytes* chosen,
    unsigned char* chosen_size,
    Bytes offered,
    unsigned offered_size,
    [[maybe_unused]] void* argument
) {
  const std::string_view wanted = "http/1.1";
  std::string_view left(reinterpret_cast<const char*>(offered), offered_size);
  while (!left.empty()) {
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(left.front()));
    const std::string_view name = left.substr(1, size);
    if (name == wanted) {
      *chosen = reinterpret_cast<Bytes>(name.data());
      *chosen_size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
    left.remove_prefix(std::min(left.size(), size + 1));
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The certificate and those behind it in the same text, then the key; read_tls_files() has seen
// that they are sound.
bool use_pair(SSL_CTX* context, const net::TlsPair& pair) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> certificates(
      BIO_new_mem_buf(pair.certificate.data(), static_cast<int>(pair.certificate.size())), &BIO_free
  );
  X509* first = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr);
  bool is_good = first != nullptr && SSL_CTX_use_certificate(context, first) == 1;
  X509_free(first);
  while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    is_good = is_good && SSL_CTX_add1_chain_cert(context, next) == 1;
    X509_free(next);
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> keys(
      BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())), &BIO_free
  );
  EVP_PKEY* key = PEM_read_bio_PrivateKey(keys.get(), nullptr, nullptr, nullptr);
  is_good = is_good && key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  return is_good;
}

Result<SslContext> make_context(const net::TlsFiles& files) {
  const net::TlsPair pair = TRY(net::read_tls_files(files));
  SslContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  CHECK(context != nullptr, "OpenSSL needs some memory once");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // Idle connections hold no buffers; what could not be written may be repeated from elsewhere.
  SSL_CTX_set_mode(
      context.get(),
      SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
  );
  SSL_CTX_set_alpn_select_cb(context.get(), &choose_protocol, nullptr);
  if (!use_pair(context.get(), pair)) {
    return fail(
        Code::invalid_argument,
        "OpenSSL does not take the certificate in '{}': {}",
        files.certificate,
        net::tls_error()
    );
  }
  ERR_clear_error();  // The end of the certificates counts as one.
  return context;
}

class SslWire final : public TlsWire {
 public:
  explicit SslWire(Ssl ssl) : ssl_(std::move(ssl)) {}

  ssize_t receive(std::span<char> space) override {
    std::size_t total = 0;
    wants_room_ = false;
    while (total < space.size()) {
      std::size_t count = 0;
      ERR_clear_error();
      if (SSL_read_ex(ssl_.get(), space.data() + total, space.size() - total, &count) != 1) {
        return stopped(total, true);
      }
      total += count;
    }
    return static_cast<ssize_t>(total);
  }

  ssize_t transmit(std::span<const iovec> parts) override {
    std::size_t total = 0;
    for (const iovec& part : parts) {
      const char* bytes = static_cast<const char*>(part.iov_base);
      for (std::size_t sent = 0; sent < part.iov_len;) {
        std::size_t count = 0;
        ERR_clear_error();
        if (SSL_write_ex(ssl_.get(), bytes + sent, part.iov_len - sent, &count) != 1) {
          return stopped(total, false);
        }
        sent += count;
        total += count;
      }
    }
    return static_cast<ssize_t>(total);
  }

  void say_goodbye() override {
    if (is_broken_ || !is_open()) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  bool is_open() const override { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool wants_room() const override { return wants_room_; }

 private:
  // What a call returns that OpenSSL ended before all was done.
  ssize_t stopped(std::size_t total, bool is_receiving) {
    const int system = errno;
    switch (SSL_get_error(ssl_.get(), 0)) {
      case SSL_ERROR_WANT_READ:
        break;
      case SSL_ERROR_WANT_WRITE:
        wants_room_ = is_receiving;
        break;
      case SSL_ERROR_ZERO_RETURN:
        return static_cast<ssize_t>(total);
      default:
        is_broken_ = true;
        ERR_clear_error();
        errno = system == 0 || system == EAGAIN ? ECONNRESET : system;
        return total > 0 ? static_cast<ssize_t>(total) : -1;
    }
    errno = EAGAIN;
    return total > 0 ? static_cast<ssize_t>(total) : -1;
  }

  Ssl ssl_;
  bool wants_room_ = false;
  bool is_broken_ = false;
};

class SslServer final : public Tls {
 public:
  explicit SslServer(const net::TlsFiles& files) : files_(files) {}

  Result<void> reload() override {
    // First the stamp: what changes while it is read is read again.
    const net::TlsStamp stamp = net::stamp_of(files_);
    auto made = make_context(files_);
    const std::lock_guard lock(mutex_);
    stamp_ = stamp;
    if (!made) return tl::unexpected(std::move(made.error()));
    context_ = *std::move(made);
    return {};
  }
  bool has_changed() const override {
    const net::TlsStamp stamp = net::stamp_of(files_);
    const std::lock_guard lock(mutex_);
    return !(stamp == stamp_);
  }
  std::unique_ptr<TlsWire> accept(int socket) override {
    Ssl ssl(nullptr, &SSL_free);
    {
      const std::lock_guard lock(mutex_);
      ssl.reset(SSL_new(context_.get()));
    }
    CHECK(ssl != nullptr, "OpenSSL needs some memory for a connection");
    SSL_set_fd(ssl.get(), socket);
    SSL_set_accept_state(ssl.get());
    return std::make_unique<SslWire>(std::move(ssl));
  }

 private:
  const net::TlsFiles files_;
  mutable std::mutex mutex_;
  SslContext context_{nullptr, &SSL_CTX_free};  // Guarded by mutex_, as the stamp is.
  net::TlsStamp stamp_;
};

}  // namespace

Result<std::unique_ptr<Tls>> Tls::open(const net::TlsFiles& files) {
  auto tls = std::make_unique<SslServer>(files);
  TRY(tls->reload());
  return std::unique_ptr<Tls>(std::move(tls));
}

}  // namespace weir::http
