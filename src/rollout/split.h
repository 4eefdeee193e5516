#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

// Which arm a routing key falls into. The split is nested: when a share grows, keys only move from
// primary to candidate, never back; so a client keeps its arm while a canary grows. Every gateway
// with the same seed splits alike. Pure.

namespace weir::rollout {

// The role in which a version answered.
enum class Arm : std::uint8_t { primary, candidate, shadow, human };
std::string_view to_string(Arm arm);

// Shares are parts per million.
inline constexpr std::uint32_t whole_ppm = 1'000'000;

// The place of a key on a line of a million parts, in [0, whole_ppm), the same for ever. The hash
// is a 64-bit point; multiplying it up is exact, so each part is 2^64 / 10^6 points wide to within
// one.
inline std::uint32_t place_of(std::string_view key, std::uint64_t seed) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint32_t>((Wide{hash64(key, seed)} * whole_ppm) >> 64);
}

// The candidate takes the places below its share: 0 is nobody and whole_ppm everybody, exactly.
constexpr Arm arm_at(std::uint32_t place, std::uint32_t candidate_share_ppm) {
  return place < candidate_share_ppm ? Arm::candidate : Arm::primary;
}

inline Arm arm_of(std::string_view key, std::uint64_t seed, std::uint32_t candidate_share_ppm) {
  return arm_at(place_of(key, seed), candidate_share_ppm);
}

// The probability with which a random key falls into that arm.
constexpr double propensity(Arm arm, std::uint32_t candidate_share_ppm) {
  const double share = candidate_share_ppm / double{whole_ppm};
  return arm == Arm::candidate ? share : arm == Arm::primary ? 1 - share : 1;
}

}  // namespace weir::rollout
