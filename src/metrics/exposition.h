#pragma once

#include <string>
#include <string_view>

#include "metrics/registry.h"

// The pieces of the Prometheus text format 0.0.4. Pure.

namespace weir::metrics {

bool is_metric_name(std::string_view name);
// Also refuses names that begin with two underscores and `le`, which the format keeps for itself.
bool is_label_name(std::string_view name);

// The bytes with everything that is not UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

// With backslash and line feed escaped, and in a label value the quote.
std::string escape_help(std::string_view text);
std::string escape_label_value(std::string_view text);

// {a="1",b="2"} without the braces; empty for none. Breaks an invariant on a bad or repeated name.
std::string label_text(const Labels& labels);
// The same in an order that does not depend on the caller's.
std::string label_key(const Labels& labels);

// 1, 0.5, 1e-05, NaN, +Inf, -Inf.
std::string value_text(double value);

void write_family(std::string& out, std::string_view name, std::string_view help, Kind kind);
// One line; `labels` is a label_text.
void write_sample(
    std::string& out, std::string_view name, std::string_view labels, std::string_view value
);
void write_histogram(
    std::string& out,
    std::string_view name,
    std::string_view labels,
    const Histogram::Snapshot& snapshot
);

}  // namespace weir::metrics
