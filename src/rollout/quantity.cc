// How durations and shares are written in plans.

#include <array>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "base/clock.h"
#include "rollout/plan.h"

namespace weir::rollout {

std::string duration_text(std::int64_t duration_us) {
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 6> units = {{
      {us_per_day, "d"},
      {3600 * us_per_second, "h"},
      {60 * us_per_second, "m"},
      {us_per_second, "s"},
      {1000, "ms"},
      {1, "us"},
  }};
  if (duration_us == 0) return "0s";
  for (const auto& [length, unit] : units) {
    if (duration_us % length == 0) return fmt::format("{}{}", duration_us / length, unit);
  }
  return {};
}

std::string percent_text(std::uint32_t share_ppm) {
  std::string text = fmt::format("{}", share_ppm / 10'000);
  if (share_ppm % 10'000 != 0) {
    text += fmt::format(".{:04}", share_ppm % 10'000);
    while (text.back() == '0') text.pop_back();
  }
  return text;
}

Result<std::uint32_t> parse_percent(std::string_view text) {
  std::string_view number = text;
  if (!number.empty() && number.back() == '%') number.remove_suffix(1);
  const std::size_t point = number.find('.');
  const std::string_view whole = number.substr(0, point);
  const std::string_view decimals =
      point == std::string_view::npos ? std::string_view() : number.substr(point + 1);
  const bool has_empty_decimals = point != std::string_view::npos && decimals.empty();
  bool is_good = !whole.empty() && whole.size() <= 3 && decimals.size() <= 4 && !has_empty_decimals;
  std::uint32_t ppm = 0;
  for (const std::string_view digits : {whole, decimals}) {
    for (const char c : digits) {
      is_good = is_good && c >= '0' && c <= '9';
      ppm = ppm * 10 + static_cast<std::uint32_t>(c - '0');
      if (!is_good) break;
    }
  }
  if (is_good) {
    for (std::size_t i = decimals.size(); i < 4; ++i) ppm *= 10;
  }
  if (!is_good || ppm > 1'000'000) {
    return fail(
        Code::invalid_argument,
        "'{}' is no share; write percent from 0 to 100 with at most four decimals, as 5 or 0.25",
        text
    );
  }
  return ppm;
}

}  // namespace weir::rollout
