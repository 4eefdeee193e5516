#include "table/json_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include "base/clock.h"

namespace weir::table {
namespace {

__extension__ using Unsigned128 = unsigned __int128;

// Numbers up to here survive a reader that keeps every number as a double.
constexpr std::uint64_t largest_safe = 1ULL << 53;

template <class T>
void append_chars(std::string& out, T value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

std::string digits(Unsigned128 value) {
  std::array<char, 40> buffer{};
  std::size_t begin = buffer.size();
  do {
    buffer[--begin] = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  return {buffer.data() + begin, buffer.size() - begin};
}

Unsigned128 magnitude(duckdb_hugeint value) {
  const auto bits =
      static_cast<Unsigned128>(static_cast<std::uint64_t>(value.upper)) << 64 | value.lower;
  return value.upper < 0 ? ~bits + 1 : bits;
}

void append_large(std::string& out, bool is_negative, Unsigned128 value) {
  const bool as_text = value > largest_safe;
  if (as_text) out += '"';
  if (is_negative) out += '-';
  out += digits(value);
  if (as_text) out += '"';
}

void append_clock(std::string& out, std::int64_t ticks, std::int64_t per_second) {
  const std::int64_t seconds = ticks / per_second;
  fmt::format_to(
      std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60
  );
  const std::int64_t rest = ticks % per_second;
  if (rest == 0) return;
  fmt::format_to(std::back_inserter(out), ".{:06}", rest * 1'000'000 / per_second);
}

// -1 or 1 for the values that stand for the infinities, else 0.
template <class T>
int infinity(T value) {
  if (value == std::numeric_limits<T>::max()) return 1;
  return value == -std::numeric_limits<T>::max() ? -1 : 0;
}

}  // namespace

void append_json_number(std::string& out, std::int64_t value) {
  append_chars(out, value);
}
void append_json_number(std::string& out, std::uint64_t value) {
  append_chars(out, value);
}

void append_json_number(std::string& out, float value) {
  std::isfinite(value) ? append_chars(out, value) : void(out += "null");
}

void append_json_number(std::string& out, double value) {
  std::isfinite(value) ? append_chars(out, value) : void(out += "null");
}

void append_json_number(std::string& out, duckdb_hugeint value) {
  append_large(out, value.upper < 0, magnitude(value));
}

void append_json_number(std::string& out, duckdb_uhugeint value) {
  append_large(out, false, static_cast<Unsigned128>(value.upper) << 64 | value.lower);
}

void append_json_decimal(std::string& out, duckdb_hugeint unscaled, unsigned scale) {
  std::string text = digits(magnitude(unscaled));
  if (text.size() <= scale) text.insert(0, scale + 1 - text.size(), '0');
  if (scale > 0) text.insert(text.size() - scale, 1, '.');
  if (unscaled.upper < 0) out += '-';
  out += text;
}

void append_json_date(std::string& out, std::int32_t days) {
  if (const int sign = infinity(days); sign != 0) {
    out += sign < 0 ? "\"-infinity\"" : "\"infinity\"";
    return;
  }
  // Days to a civil date in the proleptic Gregorian calendar; years count from March.
  const std::int64_t shifted = std::int64_t{days} + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  fmt::format_to(
      std::back_inserter(out),
      "\"{}{:04}-{:02}-{:02}\"",
      year < 0 ? "-" : "",
      std::abs(year),
      month,
      day
  );
}

void append_json_timestamp(std::string& out, std::int64_t ticks, std::int64_t per_second) {
  if (const int sign = infinity(ticks); sign != 0) {
    out += sign < 0 ? "\"-infinity\"" : "\"infinity\"";
    return;
  }
  Moment moment = 0;
  if (per_second > us_per_second) {
    const std::int64_t factor = per_second / us_per_second;
    moment = ticks / factor - (ticks % factor < 0 ? 1 : 0);
  } else if (__builtin_mul_overflow(ticks, us_per_second / per_second, &moment)) {
    out += "null";
    return;
  }
  out += '"';
  out += to_rfc3339(moment);
  out += '"';
}

void append_json_time(std::string& out, std::int64_t ticks, std::int64_t per_second) {
  out += '"';
  append_clock(out, ticks, per_second);
  out += '"';
}

void append_json_time_tz(std::string& out, std::uint64_t bits) {
  // The upper 40 bits are microseconds; the lower 24 the greatest offset, 15:59:59, minus ours.
  const std::int64_t offset_s = 57'599 - static_cast<std::int64_t>(bits & 0xFF'FFFFU);
  out += '"';
  append_clock(out, static_cast<std::int64_t>(bits >> 24), us_per_second);
  const std::int64_t size_s = std::abs(offset_s);
  fmt::format_to(
      std::back_inserter(out),
      "{}{:02}:{:02}\"",
      offset_s < 0 ? '-' : '+',
      size_s / 3600,
      size_s / 60 % 60
  );
}

void append_json_interval(std::string& out, const duckdb_interval& interval) {
  fmt::format_to(
      std::back_inserter(out),
      R"({{"months":{},"days":{},"microseconds":{}}})",
      interval.months,
      interval.days,
      interval.micros
  );
}

void append_json_uuid(std::string& out, duckdb_hugeint value) {
  // Stored with its first bit flipped, so that it sorts as a signed number.
  const std::uint64_t upper = static_cast<std::uint64_t>(value.upper) ^ 1ULL << 63;
  fmt::format_to(
      std::back_inserter(out),
      "\"{:08x}-{:04x}-{:04x}-{:04x}-{:012x}\"",
      upper >> 32,
      upper >> 16 & 0xFFFFU,
      upper & 0xFFFFU,
      value.lower >> 48,
      value.lower & 0xFFFF'FFFF'FFFFU
  );
}

void append_json_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? letters[group >> (18 - 6 * k) & 63U] : '=';
    }
  }
  out += '"';
}

void append_json_bits(std::string& out, std::string_view bytes) {
  out += '"';
  const std::size_t padding = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  for (std::size_t bit = padding; bit + 8 < bytes.size() * 8; ++bit) {
    const auto byte = static_cast<unsigned char>(bytes[1 + bit / 8]);
    out += (byte >> (7 - bit % 8) & 1U) != 0 ? '1' : '0';
  }
  out += '"';
}

}  // namespace weir::table
