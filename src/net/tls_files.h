#pragma once

#include <string>

#include "base/result.h"

// The certificate that a port shows to its clients; the same for every transport.

namespace weir::net {

// Paths of PEM files: the certificate with those that signed it behind it, and its private key.
// Both or none; none is a port without TLS.
struct TlsFiles {
  std::string certificate;
  std::string key;

  bool is_on() const { return !certificate.empty() || !key.empty(); }
};

struct TlsPair {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// Reads both and checks that they are what they should be and belong together. Errors name the file
// and the reason.
Result<TlsPair> read_tls_files(const TlsFiles& files);

// What OpenSSL says about its last failure on this thread, which is forgotten then.
std::string tls_error();

}  // namespace weir::net
