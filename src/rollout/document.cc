#include "rollout/document.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/utf8.h"

namespace weir::rollout {
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
