#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

// Names of records: UUID version 7 (RFC 9562), so that they sort by time.

namespace weir {

// 16 bytes in network order; its text has 36 characters.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  std::array<char, 36> text() const;
};

// 48 bits of milliseconds, 12 bits of their fraction, 62 random bits. Thread-safe; each thread
// draws from its own generator, seeded by the operating system. The ids of one thread grow
// strictly: where the time has not moved on, the fraction is counted up (RFC 9562, section 6.2,
// method 3); a clock that is set back by more than a second is followed.
Uuid make_uuid7(Moment now);

// 64 random bits, not for secrets. Thread-safe.
std::uint64_t random64();

}  // namespace weir
