#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rollout/document.h"

// Makes a tree of Nodes out of a parser's events. Pure; one thread at a time.

namespace weir::rollout {

// Once something is wrong, further events are ignored and error() says what it was. Requires that
// begin and end match; the parsers see to that.
class DocumentBuilder {
 public:
  // `file` is empty for texts whose places are paths instead of lines.
  DocumentBuilder(std::string_view file, const DocumentLimits& limits)
      : file_(file), limits_(limits) {}

  // Lines count from 1 and are ignored where places are paths.
  void key(std::string_view text, int line);
  void scalar(std::string_view text, bool quoted, int line);
  void null(int line);
  void begin(Node::Kind kind, int line);
  void end();
  void refuse(std::string message, int line);

  // The innermost container is a map that has had no key for its next member yet.
  bool wants_key() const;
  bool has_failed() const { return error_.has_value(); }
  bool is_empty() const { return !has_root_; }

  // Requires: all that was begun has ended.
  Result<Node> finish();

 private:
  struct Frame {
    Node node;
    std::optional<std::string> key;
  };

  // The place of the next value in the innermost container.
  std::string next_place(int line) const;
  std::string line_place(int line) const;
  bool admit(int line);
  void attach(Node node);

  const std::string file_;
  const DocumentLimits limits_;
  std::vector<Frame> open_;
  Node root_;
  bool has_root_ = false;
  std::size_t nodes_ = 0;
  std::optional<Error> error_;
};

}  // namespace weir::rollout
