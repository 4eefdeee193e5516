#include "rollout/document.h"

#include <algorithm>

#include <fmt/core.h>

namespace weir::rollout {
namespace {

// The bytes of the character at the front, 0 when they are not UTF-8 (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 0 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned char second = byte(1);
  const bool is_bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return is_bad ? 0 : length;
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Node& item) { return item.key == name; });
  return kind != Kind::map || found == items.end() ? nullptr : &*found;
}

Result<void> refuse_unknown_keys(
    const Node& map, std::string_view what, const std::vector<std::string_view>& known
) {
  for (const Node& item : map.items) {
    if (std::find(known.begin(), known.end(), item.key) != known.end()) continue;
    std::string list;
    for (const auto name : known) list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
    return fail(
        Code::invalid_argument,
        "{}: {} has no key '{}'; it has {}",
        item.where,
        what,
        item.key,
        list
    );
  }
  return {};
}

std::string json_quote(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", c);
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result + '"';
}

}  // namespace weir::rollout
