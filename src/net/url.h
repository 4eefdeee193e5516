#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::net {

// http://HOST[:PORT][/PATH], or https://
struct Url {
  bool is_tls = false;
  std::string host;
  std::uint16_t port = 80;  // 443 with TLS.
  std::string path;         // Starts with '/', or empty.

  // "host:port", as it stands in messages.
  std::string authority() const;
};

Result<Url> parse_url(std::string_view text);

// Everything but letters, digits and -._~ becomes %XX; '/' too unless `keep_slashes`.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

}  // namespace weir::net
