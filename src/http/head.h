#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

// The head of a request: its first line and its headers (RFC 9112). Strict where two readers could
// understand a request differently, because that is how requests are smuggled past a proxy: lines
// end in CR LF and are never folded, no space stands before a colon, the length of the body is said
// once and in one way.

namespace weir::http {

// Why a request is not taken: a status and the text for {"error": …}.
struct Refusal {
  int status = 0;
  std::string message;
};

enum class Coding : std::uint8_t { identity, gzip, deflate, unknown };

struct HeadLimits {
  std::uint64_t max_bytes = 0;
  std::size_t max_headers = 0;
};

struct Head {
  // All of the request but its body; borrows from the bytes and the headers given to parse_head.
  Request request;
  bool is_http_1_0 = false;
  bool keep_alive = false;
  bool is_chunked = false;
  bool expects_continue = false;
  std::uint64_t content_length = 0;
  Coding content_coding = Coding::identity;
  std::string_view accept_encoding;
};

// Looks for the end of a head at the front of `bytes`, of which the first `scanned` were looked at
// before. An empty line in front of the head is part of it.
struct HeadScan {
  enum class Outcome : std::uint8_t { incomplete, complete, bare_line_feed };
  Outcome outcome = Outcome::incomplete;
  std::size_t size = 0;  // Of the head, when complete; else the bytes that need no second look.
};
HeadScan scan_head(std::string_view bytes, std::size_t scanned);

// Reads a complete head. `headers` is cleared and holds what head.request.headers refers to.
std::optional<Refusal> parse_head(
    std::string_view bytes, const HeadLimits& limits, std::vector<Header>& headers, Head& head
);

}  // namespace weir::http
