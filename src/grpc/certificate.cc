#include "grpc/certificate.h"

#include <string>
#include <utility>

#include <grpc/grpc_security.h>

#include "base/check.h"

namespace weir::grpc {

// The library asks for the certificate at every handshake, and is told when it is another one.
class Certificate::Credentials final : public ::grpc::ServerCredentials {
 public:
  explicit Credentials(Certificate& certificate)
      : certificate_(certificate),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE, &fetch, this
            )
        )) {}
  ~Credentials() override { grpc_server_credentials_release(credentials_); }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  void SetAuthMetadataProcessor(const std::shared_ptr<::grpc::AuthMetadataProcessor>&) override {
    CHECK(false, "tokens are looked at by the calls");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status fetch(
      void* credentials, grpc_ssl_server_certificate_config** config
  ) {
    return static_cast<Credentials*>(credentials)->fetch(*config);
  }

  grpc_ssl_certificate_config_reload_status fetch(grpc_ssl_server_certificate_config*& config) {
    const std::lock_guard lock(certificate_.mutex_);
    if (certificate_.generation_ == generation_) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    generation_ = certificate_.generation_;
    const grpc_ssl_pem_key_cert_pair pair{
        certificate_.pair_.key.c_str(), certificate_.pair_.certificate.c_str()};
    // The library wants to know whom client certificates come from, though none is asked for.
    config = grpc_ssl_server_certificate_config_create(pair.cert_chain, &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  Certificate& certificate_;
  std::uint64_t generation_ = 0;  // That the library has; guarded by the certificate's mutex_.
  grpc_server_credentials* const credentials_;
};

Result<std::unique_ptr<Certificate>> Certificate::open(const net::TlsFiles& files) {
  std::unique_ptr<Certificate> certificate(new Certificate(files));
  TRY(certificate->reload());
  return certificate;
}

Result<void> Certificate::reload() {
  // First the stamp: what changes while it is read is read again.
  const net::TlsStamp stamp = net::stamp_of(files_);
  auto pair = net::read_tls_files(files_);
  const std::lock_guard lock(mutex_);
  stamp_ = stamp;
  if (!pair) return tl::unexpected(std::move(pair.error()));
  pair_ = *std::move(pair);
  ++generation_;
  return {};
}

bool Certificate::has_changed() const {
  const net::TlsStamp stamp = net::stamp_of(files_);
  const std::lock_guard lock(mutex_);
  return !(stamp == stamp_);
}

PortCredentials Certificate::credentials() {
  return std::make_shared<Credentials>(*this);
}

}  // namespace weir::grpc
