#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include <sys/types.h>
#include <sys/uio.h>

#include "base/result.h"
#include "net/tls_files.h"

// TLS 1.2 and 1.3 on accepted sockets (OpenSSL), with a certificate that can be exchanged while
// connections are open.

namespace weir::http {

// The server's side of one connection's TLS. One thread at a time; the socket is the caller's, does
// not block and outlives it.
class TlsWire {
 public:
  virtual ~TlsWire() = default;
  // As recv(2) and sendmsg(2). Either may make the handshake. A receive takes all there is, up to
  // the space.
  virtual ssize_t receive(std::span<char> space) = 0;
  virtual ssize_t transmit(std::span<const iovec> parts) = 0;
  // Tells the client that nothing follows.
  virtual void say_goodbye() = 0;
  virtual bool is_open() const = 0;  // The handshake is over.
  // The last receive could not go on because the socket took no bytes.
  virtual bool wants_room() const = 0;
};

// Thread-safe. The process ignores SIGPIPE.
class Tls {
 public:
  static Result<std::unique_ptr<Tls>> open(const net::TlsFiles& files);
  virtual ~Tls() = default;
  // Reads the files again, for connections from here on. When that fails the old certificate stays.
  virtual Result<void> reload() = 0;
  // Whether the files are others than those read last, well or not.
  virtual bool has_changed() const = 0;
  virtual std::unique_ptr<TlsWire> accept(int socket) = 0;
};

}  // namespace weir::http
