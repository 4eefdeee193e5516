#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/buffer.h"
#include "http/head.h"

// gzip and deflate, where deflate means a zlib stream (RFC 1950), as the V2 protocol has it.

namespace weir::http {

// What an Accept-Encoding header weighs highest: gzip, deflate or identity; of equals, gzip.
Coding accepted_coding(std::string_view accept_encoding);

// "gzip" or "deflate".
std::string_view to_string(Coding coding);

// One thread at a time. The state of zlib is made when it is first needed and kept.
class Compressor {
 public:
  Compressor();
  ~Compressor();

  // Replaces `out` by the inflated bytes. More than `limit` of them are `exhausted`, found without
  // ever holding more than the limit; broken input is an `invalid_argument`. After an error `out`
  // holds no memory.
  Result<void> inflate(Coding coding, std::string_view in, std::uint64_t limit, Buffer& out);

  // Replaces `out` by the compressed bytes. Fast rather than small: answers are on their way.
  void deflate(Coding coding, std::string_view in, Buffer& out);

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

}  // namespace weir::http
