#include "net/tls_files.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "base/file.h"

namespace weir::net {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

// A key that wants a password is refused: nobody is there who could type it.
int no_password(char*, int, int, void*) {
  return -1;
}

TlsStamp::File stamp_of_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {
      .inode = status.st_ino,
      .size = status.st_size,
      .changed_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

}  // namespace

TlsStamp stamp_of(const TlsFiles& files) {
  return {.certificate = stamp_of_file(files.certificate), .key = stamp_of_file(files.key)};
}

std::string tls_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown reason" : reason;
}

Result<TlsPair> read_tls_files(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return fail(
        Code::invalid_argument,
        "TLS wants a certificate and its key; the {} is missing (--tls-certificate FILE, --tls-key "
        "FILE)",
        files.certificate.empty() ? "certificate" : "key"
    );
  }
  TlsPair pair{
      .certificate = TRY(system_files().read(files.certificate)),
      .key = TRY(system_files().read(files.key)),
  };
  ERR_clear_error();
  const Bio certificate_reader = reader(pair.certificate);
  const Certificate certificate(
      PEM_read_bio_X509(certificate_reader.get(), nullptr, &no_password, nullptr), &X509_free
  );
  if (!certificate) {
    return fail(
        Code::invalid_argument,
        "'{}' holds no certificate in PEM: {}",
        files.certificate,
        tls_error()
    );
  }
  const Bio key_reader = reader(pair.key);
  const Key key(
      PEM_read_bio_PrivateKey(key_reader.get(), nullptr, &no_password, nullptr), &EVP_PKEY_free
  );
  if (!key) {
    return fail(
        Code::invalid_argument,
        "'{}' holds no private key in PEM without a password: {}",
        files.key,
        tls_error()
    );
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(
        Code::invalid_argument,
        "the key in '{}' does not belong to the certificate in '{}'",
        files.key,
        files.certificate
    );
  }
  return pair;
}

}  // namespace weir::net
