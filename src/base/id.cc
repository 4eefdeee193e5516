#include "base/id.h"

#include <bit>

#include <sys/random.h>

#include "base/check.h"

namespace weir {
namespace {

// xoshiro256++ by D. Blackman and S. Vigna (2019), public domain algorithm.
class Generator {
 public:
  Generator() {
    const ssize_t got = getrandom(state_.data(), sizeof(state_), 0);
    CHECK(got == static_cast<ssize_t>(sizeof(state_)), "the system gives random bytes");
  }
  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace

std::uint64_t random64() {
  thread_local Generator generator;
  return generator.next();
}

Uuid make_uuid7(Moment now) {
  constexpr std::uint64_t one_second = 1000U << 12U;
  thread_local std::uint64_t last = 0;
  const auto us = static_cast<std::uint64_t>(now);
  const std::uint64_t time = (us / 1000) << 12U | (us % 1000) * 4096 / 1000;
  last = time > last || last - time > one_second ? time : last + 1;
  const std::uint64_t high = (last >> 12U) << 16U | 0x7000U | (last & 0x0FFFU);
  const std::uint64_t low = (random64() >> 2) | 0x8000'0000'0000'0000U;
  Uuid uuid;
  for (unsigned i = 0; i < 8; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    uuid.bytes[i + 8] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return uuid;
}

std::array<char, 36> Uuid::text() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<char, 36> out{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    out[at++] = digits[bytes[i] >> 4];
    out[at++] = digits[bytes[i] & 15U];
  }
  return out;
}

}  // namespace weir
