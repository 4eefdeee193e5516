#include "protocol/trace_context.h"

#include <algorithm>

namespace weir::protocol {
namespace {

constexpr std::size_t max_request_id_bytes = 128;
constexpr std::size_t traceparent_bytes = 55;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

bool is_traceparent(std::string_view value) {
  if (value.size() < traceparent_bytes) return false;
  const std::string_view version = value.substr(0, 2);
  const std::string_view trace = value.substr(3, 32);
  const std::string_view parent = value.substr(36, 16);
  const std::string_view flags = value.substr(53, 2);
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags)) return false;
  if (version == "ff" || is_zero(trace) || is_zero(parent)) return false;
  const std::string_view rest = value.substr(traceparent_bytes);
  if (version == "00") return rest.empty();
  return rest.empty() || (rest.front() == '-' && is_request_id(value));
}

bool is_request_id(std::string_view value) {
  return !value.empty() && value.size() <= max_request_id_bytes &&
         std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace weir::protocol
