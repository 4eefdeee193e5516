#pragma once

#include <cstdint>
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

// Enough to see that one of the files was replaced or written again.
struct TlsStamp {
  struct File {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const File&) const = default;
  };
  File certificate;
  File key;
  bool operator==(const TlsStamp&) const = default;
};
TlsStamp stamp_of(const TlsFiles& files);

// What OpenSSL says about its last failure on this thread, which is forgotten then.
std::string tls_error();

}  // namespace weir::net
