#include "app/demo_view.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/print.h"
#include "cli/text_table.h"

namespace weir::app {
namespace {

constexpr std::size_t width = 100;

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// "████████······" for 60 to 90 %, where the interesting part lies.
std::string bar(std::uint64_t part, std::uint64_t whole) {
  constexpr double low = 0.5;
  constexpr double high = 0.9;
  constexpr int cells = 20;
  if (whole == 0) return "";
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  const int full = std::clamp(static_cast<int>((share - low) / (high - low) * cells), 0, cells);
  std::string text;
  for (int i = 0; i < cells; ++i) text += i < full ? "█" : "·";
  return text;
}

// Words in lines of at most `columns`, further lines indented.
std::string wrap(const std::string& text, std::size_t columns, std::size_t indent) {
  std::string out;
  std::size_t used = indent;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    const std::size_t size = cli::display_width(word);
    if (used > indent && used + 1 + size > columns) {
      out += '\n' + std::string(indent, ' ');
      used = indent;
    } else if (used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += size;
    at = end + 1;
  }
  return out;
}

}  // namespace

std::string demo_table(const DemoState& state) {
  std::string text = fmt::format(
      "\n{}   row {} of {}   {:.0f} rows/s   {}\n",
      to_day(state.time),
      cli::with_commas(state.row),
      cli::with_commas(state.rows),
      state.rows_per_second,
      state.stage
  );
  cli::TextTable table({"arm", "version", "share", "requests", "accuracy", "lately", "50 to 90 %"});
  for (const DemoArm& arm : state.arms) {
    table.add({
        arm.arm,
        arm.version,
        fmt::format("{:g} %", arm.share_percent),
        cli::with_commas(arm.requests),
        percent(arm.correct, arm.labelled),
        percent(arm.recent_correct, arm.recent_labelled),
        bar(arm.recent_correct, arm.recent_labelled),
    });
  }
  text += table.text(width);
  if (!state.comparison.empty()) text += wrap(state.comparison, width, 0) + '\n';
  return text;
}

void DemoView::clear() {
  if (lines_ > 0) cli::print(fmt::format("\x1b[{}A\x1b[J", lines_));
  lines_ = 0;
}

void DemoView::event(std::optional<Moment> time, const std::string& text) {
  clear();
  const std::string day = time ? to_day(*time) : std::string(10, ' ');
  cli::print(fmt::format("{}  {}\n", day, wrap(text, width, 12)));
}

void DemoView::show(const DemoState& state) {
  if (!is_live_) return;
  clear();
  const std::string text = demo_table(state);
  lines_ = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  cli::print(text);
}

}  // namespace weir::app
