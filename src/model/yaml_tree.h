#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// A YAML document as plain values with line numbers. Every scalar is the text that stands in the
// file: `no`, `1.0` and `~` in quotes mean themselves, and whoever wants a number reads one.

namespace weir::model {

class YamlTree;
struct YamlPair;

struct YamlOptions {
  std::size_t max_nodes = 100'000;  // Also what aliases may expand to.
  std::size_t max_depth = 32;
};

// Immutable.
class YamlTree {
 public:
  enum class Kind : std::uint8_t { null, scalar, list, map };

  // Reads the only document of a text. `file` is for messages and is kept as a copy in them.
  static Result<YamlTree> parse(
      std::string_view yaml, std::string_view file, const YamlOptions& options = {}
  );

  Kind kind() const { return kind_; }
  int line() const { return line_; }  // From 1.
  // Requires: a list.
  const std::vector<YamlTree>& items() const { return items_; }

  // What the value has to be, or an error with its line; `what` names it in the message.
  Result<std::string> text(std::string_view what) const;  // Not empty.
  Result<std::size_t> whole_number(std::string_view what) const;
  Result<bool> truth(std::string_view what) const;  // true or false.
  Result<std::string> one_of(std::string_view what, std::initializer_list<std::string_view> words)
      const;
  // The pairs of a map, in their order. A key stands once.
  Result<std::vector<YamlPair>> pairs(std::string_view what) const;

  // "'FILE' line N: …"
  template <class... Arguments>
  tl::unexpected<Error> fail_here(fmt::format_string<Arguments...> format, Arguments&&... arguments)
      const {
    return fail(
        Code::invalid_argument,
        "'{}' line {}: {}",
        file_,
        line_,
        fmt::format(format, std::forward<Arguments>(arguments)...)
    );
  }

 private:
  friend class YamlBuilder;
  Kind kind_ = Kind::null;
  int line_ = 1;
  std::string_view file_ = "";  // Borrowed from the caller of parse().
  std::string scalar_;
  std::vector<YamlTree> items_;  // Of a map: key, value, key, value…
};

struct YamlPair {
  std::string key;
  const YamlTree* key_node = nullptr;
  const YamlTree* value = nullptr;

  // "unknown key 'x' in a y; known are: …"
  tl::unexpected<Error> unknown(
      std::string_view what, std::initializer_list<std::string_view> known
  ) const;
};

}  // namespace weir::model
