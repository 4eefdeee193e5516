#include "cli/text_table.h"

#include <algorithm>

#include "base/check.h"

namespace weir::cli {
namespace {

constexpr std::string_view gap = "  ";
constexpr std::size_t narrowest = 8;

bool is_number(std::string_view cell) {
  return cell.empty() || cell == "-" ||
         cell.find_first_not_of("0123456789.,-+% eEµms") == std::string_view::npos;
}

// The first `width` columns of a text, the last one '…' when something was cut.
std::string cut(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::size_t at = 0;
  for (std::size_t columns = 0; at < text.size();) {
    std::size_t next = at + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    if (++columns == width) break;
    at = next;
  }
  return text.substr(0, at) + "…";
}

std::string pad(const std::string& text, std::size_t width, bool to_right) {
  const std::string space(width - std::min(width, display_width(text)), ' ');
  return to_right ? space + text : text + space;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string TextTable::text(std::size_t width) const {
  const std::size_t columns = header_.size();
  std::vector<std::size_t> widths(columns);
  std::vector<bool> numeric(columns, true);
  for (std::size_t c = 0; c < columns; ++c) {
    widths[c] = display_width(header_[c]);
    for (const auto& row : rows_) {
      CHECK(row.size() == columns, "a row has a cell for every column");
      widths[c] = std::max(widths[c], display_width(row[c]));
      numeric[c] = numeric[c] && is_number(row[c]);
    }
  }
  const auto total = [&] {
    std::size_t sum = gap.size() * (columns - 1);
    for (const std::size_t column : widths) sum += column;
    return sum;
  };
  while (columns > 0 && total() > width) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= narrowest) break;
    --*widest;
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t c = 0; c < columns; ++c) {
      if (c > 0) line += gap;
      line += pad(cut(cells[c], widths[c]), widths[c], numeric[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  add_line(header_);
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace weir::cli
