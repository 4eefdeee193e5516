#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// Names of files and folders of the ledger: docs/ledger-format.md, section 1.

namespace weir::ledger {

inline constexpr std::size_t max_encoded_endpoint_bytes = 200;

// The folder name of an endpoint. invalid_argument when it is empty or too long.
Result<std::string> encode_endpoint(std::string_view endpoint);
// The endpoint of a folder name; nothing when it is not one that encode_endpoint makes.
std::optional<std::string> decode_endpoint(std::string_view folder);

// "w1-00000042" and its parts.
struct FileStem {
  std::string writer;
  std::uint64_t sequence = 0;
  bool operator==(const FileStem&) const = default;
};
std::string to_string(const FileStem& stem);
std::optional<FileStem> parse_stem(std::string_view text);

// "folder/name"; an absolute name stays as it is.
std::string join_path(std::string_view folder, std::string_view name);

}  // namespace weir::ledger
