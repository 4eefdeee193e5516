#include <exception>
#include <string>

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/core.h>

#include "rollout/document_builder.h"

namespace weir::rollout {
namespace {

// Boost.JSON's events, instead of its values, so that numbers stay text and a key that stands twice
// is seen.
struct Handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  using Text = boost::json::string_view;
  using ErrorCode = boost::json::error_code;

  Handler(const DocumentLimits& limits) : builder("", limits) {}

  // False stops the parser; it then asks for an error code.
  bool go_on(ErrorCode& code) const {
    if (builder.has_failed()) code = boost::json::error::syntax;
    return !builder.has_failed();
  }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode& code) {
    builder.begin(Node::Kind::map, 0);
    return go_on(code);
  }
  bool on_object_end(std::size_t, ErrorCode& code) {
    builder.end();
    return go_on(code);
  }
  bool on_array_begin(ErrorCode& code) {
    builder.begin(Node::Kind::list, 0);
    return go_on(code);
  }
  bool on_array_end(std::size_t, ErrorCode& code) {
    builder.end();
    return go_on(code);
  }
  bool on_key_part(Text text, std::size_t, ErrorCode&) { return collect(text); }
  bool on_key(Text text, std::size_t, ErrorCode& code) {
    collect(text);
    builder.key(collected, 0);
    collected.clear();
    return go_on(code);
  }
  bool on_string_part(Text text, std::size_t, ErrorCode&) { return collect(text); }
  bool on_string(Text text, std::size_t, ErrorCode& code) { return scalar(text, true, code); }
  bool on_number_part(Text text, ErrorCode&) { return collect(text); }
  bool on_int64(std::int64_t, Text text, ErrorCode& code) { return scalar(text, false, code); }
  bool on_uint64(std::uint64_t, Text text, ErrorCode& code) { return scalar(text, false, code); }
  bool on_double(double, Text text, ErrorCode& code) { return scalar(text, false, code); }
  bool on_bool(bool value, ErrorCode& code) {
    return scalar(value ? "true" : "false", false, code);
  }
  bool on_null(ErrorCode& code) {
    builder.null(0);
    return go_on(code);
  }
  bool on_comment_part(Text, ErrorCode&) { return true; }
  bool on_comment(Text, ErrorCode&) { return true; }

  bool collect(Text text) {
    collected.append(text.data(), text.size());
    return true;
  }
  bool scalar(Text text, bool quoted, ErrorCode& code) {
    collect(text);
    builder.scalar(collected, quoted, 0);
    collected.clear();
    return go_on(code);
  }

  DocumentBuilder builder;
  std::string collected;
};

}  // namespace

Result<Node> read_json(std::string_view text, const DocumentLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(
        Code::invalid_argument,
        "a JSON text of {} bytes; at most {} are read",
        text.size(),
        limits.max_bytes
    );
  }
  boost::json::parse_options options;
  // One more than the builder allows, so that it gives the message.
  options.max_depth = limits.max_depth + 1;
  boost::json::basic_parser<Handler> parser(options, limits);
  boost::json::error_code code;
  std::size_t used = 0;
  try {
    used = parser.write_some(false, text.data(), text.size(), code);
  } catch (const std::exception& problem) {
    return fail(Code::invalid_argument, "not JSON: {}", problem.what());
  }
  if (parser.handler().builder.has_failed()) return parser.handler().builder.finish();
  if (!code && used < text.size()) code = boost::json::error::extra_data;
  if (code) {
    return fail(Code::invalid_argument, "not JSON: {} near byte {}", code.message(), used);
  }
  return parser.handler().builder.finish();
}

}  // namespace weir::rollout
