#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include <grpcpp/security/server_credentials.h>

#include "base/result.h"
#include "net/tls_files.h"

namespace weir::grpc {

// TLS or none, in the library's own way to hold them.
using PortCredentials = decltype(::grpc::InsecureServerCredentials());

// The certificate that the port shows, exchanged while connections are open. Thread-safe; outlives
// its credentials.
class Certificate {
 public:
  static Result<std::unique_ptr<Certificate>> open(const net::TlsFiles& files);

  // Reads the files again, for connections from here on. When that fails the old ones stay.
  Result<void> reload();
  // Whether the files are others than those read last, well or not.
  bool has_changed() const;
  // For one server of the library.
  PortCredentials credentials();

 private:
  class Credentials;

  explicit Certificate(const net::TlsFiles& files) : files_(files) {}

  const net::TlsFiles files_;
  mutable std::mutex mutex_;
  net::TlsPair pair_;  // Guarded by mutex_, as all below.
  net::TlsStamp stamp_;
  std::uint64_t generation_ = 0;  // Of the pair; 0 = none has been read.
};

}  // namespace weir::grpc
