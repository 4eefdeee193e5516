#include "metrics/exposition.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/check.h"
#include "base/utf8.h"

namespace weir::metrics {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string escape(std::string_view text, bool quote) {
  std::string result;
  for (const char c : valid_utf8(text)) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\\' || (quote && c == '"')) {
      result += '\\';
      result += c;
    } else {
      result += c;
    }
  }
  return result;
}

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::counter:
      return "counter";
    case Kind::gauge:
      return "gauge";
    case Kind::histogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

bool is_metric_name(std::string_view name) {
  if (name.empty() || !(is_letter(name[0]) || name[0] == ':')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == ':';
  });
}

bool is_label_name(std::string_view name) {
  if (name.empty() || !is_letter(name[0]) || name.substr(0, 2) == "__" || name == "le")
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

std::string valid_utf8(std::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    result += length == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string escape_help(std::string_view text) {
  return escape(text, false);
}
std::string escape_label_value(std::string_view text) {
  return escape(text, true);
}

std::string label_text(const Labels& labels) {
  std::string result;
  for (auto it = labels.begin(); it != labels.end(); ++it) {
    CHECK(is_label_name(it->first), "names of labels are letters, digits and underscores");
    const bool is_new = std::none_of(labels.begin(), it, [&](const auto& other) {
      return other.first == it->first;
    });
    CHECK(is_new, "a label stands once in a series");
    if (!result.empty()) result += ',';
    result += fmt::format("{}=\"{}\"", it->first, escape_label_value(it->second));
  }
  return result;
}

std::string label_key(const Labels& labels) {
  Labels sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  return label_text(sorted);
}

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void write_family(std::string& out, std::string_view name, std::string_view help, Kind kind) {
  fmt::format_to(
      std::back_inserter(out),
      "# HELP {0} {1}\n# TYPE {0} {2}\n",
      name,
      escape_help(help),
      to_string(kind)
  );
}

void write_sample(
    std::string& out, std::string_view name, std::string_view labels, std::string_view value
) {
  out += name;
  if (!labels.empty()) fmt::format_to(std::back_inserter(out), "{{{}}}", labels);
  fmt::format_to(std::back_inserter(out), " {}\n", value);
}

void write_histogram(
    std::string& out,
    std::string_view name,
    std::string_view labels,
    const Histogram::Snapshot& snapshot
) {
  const auto bucket_name = fmt::format("{}_bucket", name);
  const std::string_view comma = labels.empty() ? "" : ",";
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < snapshot.counts.size(); ++i) {
    up_to += snapshot.counts[i];
    // Divided, not multiplied by a fraction: only so the decimals come out as they were meant.
    const std::string bound =
        i < snapshot.bounds.size()
            ? value_text(static_cast<double>(snapshot.bounds[i]) / snapshot.per_unit)
            : "+Inf";
    write_sample(
        out,
        bucket_name,
        fmt::format("{}{}le=\"{}\"", labels, comma, bound),
        fmt::format("{}", up_to)
    );
  }
  write_sample(
      out,
      fmt::format("{}_sum", name),
      labels,
      value_text(static_cast<double>(snapshot.sum) / snapshot.per_unit)
  );
  write_sample(out, fmt::format("{}_count", name), labels, fmt::format("{}", snapshot.count));
}

}  // namespace weir::metrics
