#include "base/clock.h"

#include <charconv>
#include <ctime>
#include <limits>

namespace weir {
namespace {

std::int64_t read_clock(clockid_t clock, std::int64_t units_per_second) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * units_per_second + time.tv_nsec / (1'000'000'000 / units_per_second);
}

// Days since 1970-01-01 of a proleptic Gregorian date. H. Hinnant, "chrono-compatible low-level
// date algorithms", days_from_civil.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

struct Civil {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// The inverse, civil_from_days of the same source.
Civil civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const std::int64_t year = static_cast<std::int64_t>(year_of_era) + era * 400;
  return {month <= 2 ? year + 1 : year, month, day};
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  const std::int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

unsigned days_in_month(std::int64_t year, unsigned month) {
  const std::int64_t next =
      month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, month + 1, 1);
  return static_cast<unsigned>(next - days_from_civil(year, month, 1));
}

// Takes `count` digits off the front; -1 when they are not all digits.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_char(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction of a second in microseconds; -1 when it is malformed.
std::int64_t take_fraction_us(std::string_view& text) {
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (digits < 6) value = value * 10 + (text.front() - '0');
    if (++digits > 9) return -1;
  }
  if (digits == 0) return -1;
  for (; digits < 6; ++digits) value *= 10;
  return value;
}

// The offset from UTC in minutes; a very large number when it is malformed.
constexpr int bad_offset = std::numeric_limits<int>::max();
int take_offset_minutes(std::string_view& text) {
  if (take_char(text, "Zz")) return 0;
  const bool negative = !text.empty() && text.front() == '-';
  if (!take_char(text, "+-")) return bad_offset;
  const int hours = take_digits(text, 2);
  take_char(text, ":");
  const int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return bad_offset;
  return (negative ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

Moment now_us() {
  return read_clock(CLOCK_REALTIME, 1'000'000);
}
std::int64_t monotonic_ns() {
  return read_clock(CLOCK_MONOTONIC, 1'000'000'000);
}
std::int64_t thread_cpu_ns() {
  return read_clock(CLOCK_THREAD_CPUTIME_ID, 1'000'000'000);
}

std::string to_rfc3339(Moment moment) {
  const std::int64_t seconds = floor_divide(moment, us_per_second);
  const std::int64_t fraction = moment - seconds * us_per_second;
  const std::int64_t days = floor_divide(seconds, 86'400);
  const std::int64_t of_day = seconds - days * 86'400;
  const Civil date = civil_from_days(days);
  std::string text = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
      date.year,
      date.month,
      date.day,
      of_day / 3600,
      of_day / 60 % 60,
      of_day % 60
  );
  if (fraction != 0) text += fmt::format(".{:06}", fraction);
  text += 'Z';
  return text;
}

Result<Moment> parse_rfc3339(std::string_view text) {
  const std::string_view whole = text;
  const auto bad = [&] {
    return fail(
        Code::invalid_argument, "'{}' is not a time; write 2026-11-24T14:55:04.123Z", whole
    );
  };
  const int year = take_digits(text, 4);
  const bool dash_1 = take_char(text, "-");
  const int month = take_digits(text, 2);
  const bool dash_2 = take_char(text, "-");
  const int day = take_digits(text, 2);
  const bool separator = take_char(text, "Tt ");
  const int hour = take_digits(text, 2);
  const bool colon_1 = take_char(text, ":");
  const int minute = take_digits(text, 2);
  const bool colon_2 = take_char(text, ":");
  const int second = take_digits(text, 2);
  if (!dash_1 || !dash_2 || !separator || !colon_1 || !colon_2) return bad();
  if (year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23) return bad();
  if (minute < 0 || minute > 59 || second < 0 || second > 60) return bad();
  if (static_cast<unsigned>(day) > days_in_month(year, static_cast<unsigned>(month))) return bad();
  const std::int64_t fraction_us = take_char(text, ".") ? take_fraction_us(text) : 0;
  if (fraction_us < 0) return bad();
  const int offset = take_offset_minutes(text);
  if (offset == bad_offset || !text.empty()) return bad();
  const std::int64_t days =
      days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  const std::int64_t seconds =
      days * 86'400 + hour * 3600 + minute * 60 + second - static_cast<std::int64_t>(offset) * 60;
  return seconds * us_per_second + fraction_us;
}

std::string to_day(Moment moment) {
  return to_rfc3339(moment).substr(0, 10);
}

Result<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t amount = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, amount);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  std::int64_t us = 0;
  if (unit == "us") us = 1;
  if (unit == "ms") us = 1'000;
  if (unit == "s") us = us_per_second;
  if (unit == "m") us = 60 * us_per_second;
  if (unit == "h") us = 3600 * us_per_second;
  if (unit == "d") us = us_per_day;
  std::int64_t total = 0;
  if (error != std::errc() || us == 0 || amount < 0 || __builtin_mul_overflow(amount, us, &total)) {
    return fail(
        Code::invalid_argument, "'{}' is not a duration; write 250ms, 90s, 10m, 2h or 7d", text
    );
  }
  return total;
}

}  // namespace weir
