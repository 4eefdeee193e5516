#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <boost/json.hpp>

#include "control/feedback.h"
#include "ledger/record.h"
#include "protocol/json_reader.h"

namespace weir::control {
namespace {

namespace json = boost::json;
using ledger::Feedback;

constexpr std::size_t max_json_depth = 32;

Result<Moment> read_time(const json::value& value, Moment now) {
  if (value.is_null()) return now;
  if (value.is_int64()) return value.as_int64();
  if (value.is_string()) return parse_rfc3339(std::string_view(value.as_string()));
  return fail(Code::invalid_argument, "'time' is RFC 3339 text or a whole number of microseconds");
}

// A label as text: 1, 1.0, "1" and true are written as classes are.
Result<std::string> read_text(std::string_view key, const json::value& value) {
  if (value.is_string()) {
    return std::string(ledger::canonical_label(std::string_view(value.as_string())));
  }
  if (value.is_int64()) return ledger::to_label(value.as_int64());
  if (value.is_uint64()) return ledger::to_label(static_cast<double>(value.as_uint64()));
  if (value.is_double() && std::isfinite(value.as_double())) {
    return ledger::to_label(value.as_double());
  }
  if (value.is_bool()) return std::string(value.as_bool() ? "1" : "0");
  return fail(
      Code::invalid_argument, "'{}' is a text or a finite number; leave it out when unknown", key
  );
}

Result<void> read_kind(std::string_view key, const json::value& value, Feedback& feedback) {
  if (!feedback.text.empty()) {
    return fail(
        Code::invalid_argument, "one of 'label', 'event' and 'tag' a row, not several of them"
    );
  }
  feedback.kind = key == "label"   ? Feedback::Kind::label
                  : key == "event" ? Feedback::Kind::event
                                   : Feedback::Kind::tag;
  feedback.text = TRY(read_text(key, value));
  if (feedback.text.empty()) return fail(Code::invalid_argument, "'{}' is empty", key);
  return {};
}

Result<void> read_member(
    std::string_view key, const json::value& value, Moment now, Feedback& feedback
) {
  if (key == "id") {
    if (!value.is_string()) return fail(Code::invalid_argument, "'id' is a text");
    feedback.id = value.as_string();
    return {};
  }
  if (key == "row") {
    if (!value.is_int64() || value.as_int64() < 0 || value.as_int64() > UINT32_MAX) {
      return fail(Code::invalid_argument, "'row' is a whole number from 0");
    }
    feedback.row = static_cast<std::uint32_t>(value.as_int64());
    return {};
  }
  if (key == "time") {
    feedback.time = TRY(read_time(value, now));
    return {};
  }
  if (key == "value") {
    if (!value.is_number()) return fail(Code::invalid_argument, "'value' is a number");
    feedback.value = value.to_number<double>();
    return {};
  }
  if (key == "label" || key == "event" || key == "tag") {
    // Tables have all columns in every row; null is "not this one".
    if (value.is_null()) return {};
    return read_kind(key, value, feedback);
  }
  return fail(
      Code::invalid_argument,
      "unknown key '{}'; feedback has id, row, label, event, value, tag and time",
      key
  );
}

Result<Feedback> read_row(const json::value& value, Moment now, const FeedbackOptions& options) {
  if (!value.is_object()) {
    return fail(Code::invalid_argument, "a row is an object, such as {{\"id\": …, \"label\": …}}");
  }
  Feedback feedback;
  feedback.time = now;
  feedback.recorded_at = now;
  for (const auto& [key, member] : value.as_object()) {
    TRY(read_member(std::string_view(key), member, now, feedback));
  }
  if (feedback.id.empty()) {
    return fail(Code::invalid_argument, "'id' is missing: the id that the prediction was given");
  }
  if (feedback.text.empty()) {
    return fail(Code::invalid_argument, "there is none of 'label', 'event' and 'tag'");
  }
  if (feedback.id.size() > options.max_id_bytes || feedback.text.size() > options.max_text_bytes) {
    return fail(
        Code::invalid_argument,
        "the id or the text is too long (max_id_bytes {}, max_text_bytes {})",
        options.max_id_bytes,
        options.max_text_bytes
    );
  }
  return feedback;
}

Result<json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  json::parse_options limits;
  limits.max_depth = max_json_depth;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, limits);
  if (error) return fail(Code::invalid_argument, "this is not JSON: {}", error.message());
  return value;
}

constexpr std::array<std::string_view, 7> keys = {
    "id", "row", "label", "event", "value", "tag", "time"};

// Of the object that comes next. A parser of documents would keep one of the two and lose the
// other.
Result<void> check_keys(protocol::JsonReader& reader, std::size_t row) {
  std::array<bool, keys.size()> is_seen{};
  reader.begin();
  std::string_view name;
  while (reader.next_member(name)) {
    const auto* const key = std::ranges::find(keys, name);
    if (key != keys.end() && std::exchange(is_seen[key - keys.begin()], true)) {
      return fail(
          Code::invalid_argument,
          "feedback row {}: the key '{}' is there twice; keep one",
          row,
          *key
      );
    }
    reader.skip_value();
  }
  return {};
}

// `text` is one object or an array; its first row has this number.
Result<void> check_keys(std::string_view text, std::size_t row) {
  std::string scratch;
  protocol::JsonReader reader(text, scratch, max_json_depth + 1);
  const protocol::JsonKind kind = reader.kind();
  if (kind == protocol::JsonKind::object) {
    TRY(check_keys(reader, row));
  } else if (kind == protocol::JsonKind::array) {
    reader.begin();
    for (; reader.next_element(); ++row) {
      if (reader.kind() == protocol::JsonKind::object) {
        TRY(check_keys(reader, row));
      } else {
        reader.skip_value();
      }
    }
  } else {
    return {};  // Refused as a row, with better words.
  }
  if (!reader.has_failed()) return {};
  return fail(Code::invalid_argument, "this is not JSON: {}", reader.problem());
}

Result<void> add_row(
    const json::value& value,
    Moment now,
    const FeedbackOptions& options,
    std::vector<Feedback>& rows
) {
  if (rows.size() >= options.max_rows) {
    return fail(
        Code::invalid_argument,
        "more than {} rows (max_rows) in one call; send several",
        options.max_rows
    );
  }
  auto row = read_row(value, now, options);
  if (!row) {
    return fail(row.error().code, "feedback row {}: {}", rows.size(), row.error().message);
  }
  rows.push_back(*std::move(row));
  return {};
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

Result<std::vector<Feedback>> parse_feedback(
    std::string_view body, Moment now, const FeedbackOptions& options
) {
  std::vector<Feedback> rows;
  const std::size_t start = body.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) {
    return fail(Code::invalid_argument, "the body is empty; send an array of feedback objects");
  }
  if (body[start] == '[') {
    const json::value value = TRY(parse_json(body));
    TRY(check_keys(body, 0));
    for (const json::value& row : value.as_array()) TRY(add_row(row, now, options, rows));
    return rows;
  }
  const std::string_view text = body;
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    const std::string_view line = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view() : body.substr(end + 1);
    if (is_blank(line)) continue;
    auto value = parse_json(line);
    if (!value && rows.empty()) {
      // One object over several lines is no NDJSON, and it is clear all the same.
      if (auto whole = parse_json(text)) {
        TRY(check_keys(text, 0));
        TRY(add_row(*whole, now, options, rows));
        return rows;
      }
    }
    if (!value) {
      return fail(
          Code::invalid_argument, "feedback row {}: {}", rows.size(), value.error().message
      );
    }
    TRY(check_keys(line, rows.size()));
    TRY(add_row(*value, now, options, rows));
  }
  return rows;
}

}  // namespace weir::control
