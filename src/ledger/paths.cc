#include "ledger/paths.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/core.h>

namespace weir::ledger {
namespace {

bool is_plain(char byte, bool is_first) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || (byte == '.' && !is_first);
}

bool is_reserved(std::string_view name) {
  constexpr std::array<std::string_view, 3> reserved = {"segments", "writers", "format"};
  return std::any_of(reserved.begin(), reserved.end(), [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(), [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  });
}

std::optional<unsigned> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
  return std::nullopt;
}

}  // namespace

Result<std::string> encode_endpoint(std::string_view endpoint) {
  if (endpoint.empty()) return fail(Code::invalid_argument, "an endpoint needs a name");
  std::string folder;
  for (std::size_t i = 0; i < endpoint.size(); ++i) {
    const char byte = endpoint[i];
    if (is_plain(byte, i == 0) && !(i == 0 && is_reserved(endpoint))) {
      folder += byte;
    } else {
      folder += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }
  if (folder.size() > max_encoded_endpoint_bytes) {
    return fail(
        Code::invalid_argument,
        "the endpoint name '{}' is too long for a folder: {} bytes when percent-encoded, at most "
        "{}; choose a shorter one",
        endpoint,
        folder.size(),
        max_encoded_endpoint_bytes
    );
  }
  return folder;
}

std::optional<std::string> decode_endpoint(std::string_view folder) {
  std::string endpoint;
  for (std::size_t i = 0; i < folder.size(); ++i) {
    if (folder[i] != '%') {
      endpoint += folder[i];
      continue;
    }
    if (i + 2 >= folder.size()) return std::nullopt;
    const auto high = hex_digit(folder[i + 1]);
    const auto low = hex_digit(folder[i + 2]);
    if (!high || !low) return std::nullopt;
    endpoint += static_cast<char>(*high << 4U | *low);
    i += 2;
  }
  const auto again = encode_endpoint(endpoint);
  if (!again || *again != folder) return std::nullopt;
  return endpoint;
}

std::string to_string(const FileStem& stem) {
  return fmt::format("{}-{:08}", stem.writer, stem.sequence);
}

std::optional<FileStem> parse_stem(std::string_view text) {
  const std::size_t dash = text.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = text.substr(dash + 1);
  FileStem stem{std::string(text.substr(0, dash)), 0};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), stem.sequence);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return to_string(stem) == text ? std::optional(stem) : std::nullopt;
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

}  // namespace weir::ledger
