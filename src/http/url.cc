#include "http/url.h"

#include <algorithm>
#include <cstdint>

namespace weir::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus : std::uint8_t { stays, is_space };

Result<std::string> decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::is_space) {
      decoded += ' ';
      continue;
    }
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(
          Code::invalid_argument,
          "'{}' in the address is no percent escape; write '%' itself as %25",
          text.substr(i, 3)
      );
    }
    if (high == 0 && low == 0) {
      return fail(Code::invalid_argument, "%00 in the address: no name contains a zero byte");
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) {
  return decode(text, Plus::stays);
}

Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (TRY(decode(pair.substr(0, equals), Plus::is_space)) != name) continue;
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    return std::optional<std::string>(TRY(decode(value, Plus::is_space)));
  }
  return std::optional<std::string>();
}

}  // namespace weir::http
