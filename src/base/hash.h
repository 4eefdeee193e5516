#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

// Hashes. XXH3 where speed matters and nobody attacks (split, checksums); SHA-256 where a name or
// a person's key must not be guessed or forged.

namespace weir {

// XXH3, 64 bits. The split of traffic and the checksums on disk depend on this value: it never
// changes.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);
std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

// Lower-case hexadecimal SHA-256, 64 characters.
std::string sha256(std::string_view bytes);
Result<std::string> sha256_of_file(const std::string& path);

}  // namespace weir
