#include "net/url.h"

#include <charconv>

namespace weir::net {

std::string Url::authority() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&] {
    return fail(
        Code::invalid_argument, "'{}' is not an address; write http://127.0.0.1:8080", text
    );
  };
  std::string_view rest = text;
  constexpr std::string_view plain = "http://";
  constexpr std::string_view secure = "https://";
  Url url;
  url.is_tls = rest.starts_with(secure);
  if (!url.is_tls && !rest.starts_with(plain)) return bad();
  rest.remove_prefix((url.is_tls ? secure : plain).size());
  if (url.is_tls) url.port = 443;
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  rest = rest.substr(0, slash);
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad();
    url.host = rest.substr(1, end - 1);
    colon = end + 1 < rest.size() ? end + 1 : std::string_view::npos;
  } else {
    url.host = rest.substr(0, colon);
  }
  if (colon != std::string_view::npos) {
    if (rest[colon] != ':') return bad();
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) return bad();
  }
  if (url.host.empty()) return bad();
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slashes);
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace weir::net
