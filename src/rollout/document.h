#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// A parsed YAML or JSON text as a plain tree, without the parsers' headers, so that one reader
// serves both and errors can say where. Scalars stay text: what they mean is decided by who reads
// them, so that YAML's `no` is not a boolean by accident. Pure.

namespace weir::rollout {

struct Node {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  bool quoted = false;      // A scalar that was written as a string (in JSON: every string).
  std::string text;         // Of a scalar.
  std::string where;        // "plan.yaml line 3", or for JSON the path "stages[1].canary".
  std::string key;          // Of a member of a map.
  std::vector<Node> items;  // Of a list or a map, in the order of the text.

  // The member of a map; nullptr when there is none.
  const Node* find(std::string_view name) const;

  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_null() const { return kind == Kind::null; }
};

struct DocumentLimits {
  std::size_t max_bytes = 1 << 20;
  std::size_t max_nodes = 100'000;
  std::size_t max_depth = 32;
};

// One document. Aliases and anchors, tags of the user's own, duplicate keys and keys that are not
// scalars are refused.
Result<Node> read_yaml(
    std::string_view text, std::string_view file, const DocumentLimits& limits = {}
);
Result<Node> read_json(std::string_view text, const DocumentLimits& limits = {});

// An error when a map has a key that is not in the list; the message gives place, key and the keys
// that are known. Requires: a map.
Result<void> refuse_unknown_keys(
    const Node& map, std::string_view what, const std::vector<std::string_view>& known
);

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that whatever somebody
// wrote can be read again.
std::string json_quote(std::string_view text);

}  // namespace weir::rollout
