#include "rollout/document_builder.h"

#include <fmt/core.h>

#include "base/check.h"

namespace weir::rollout {

std::string DocumentBuilder::line_place(int line) const {
  return fmt::format("{} line {}", file_, line);
}

std::string DocumentBuilder::next_place(int line) const {
  if (!file_.empty()) return line_place(line);
  if (open_.empty()) return "top level";
  const Frame& parent = open_.back();
  const std::string base = open_.size() == 1 ? "" : parent.node.where;
  if (parent.node.is_list()) return fmt::format("{}[{}]", base, parent.node.items.size());
  return fmt::format("{}{}{}", base, base.empty() ? "" : ".", parent.key.value_or(""));
}

void DocumentBuilder::refuse(std::string message, int line) {
  if (error_) return;
  error_ = Error{
      Code::invalid_argument,
      fmt::format("{}: {}", file_.empty() ? next_place(line) : line_place(line), message)};
}

bool DocumentBuilder::admit(int line) {
  if (error_) return false;
  if (++nodes_ > limits_.max_nodes) {
    refuse(fmt::format("more than {} values", limits_.max_nodes), line);
    return false;
  }
  return true;
}

bool DocumentBuilder::wants_key() const {
  return !open_.empty() && open_.back().node.is_map() && !open_.back().key;
}

void DocumentBuilder::key(std::string_view text, int line) {
  if (error_) return;
  Frame& frame = open_.back();
  frame.key = std::string(text);
  if (frame.node.find(text) != nullptr) refuse(fmt::format("'{}' stands here twice", text), line);
}

void DocumentBuilder::attach(Node node) {
  if (open_.empty()) {
    root_ = std::move(node);
    has_root_ = true;
    return;
  }
  Frame& parent = open_.back();
  if (parent.node.is_map()) {
    node.key = std::move(*parent.key);
    parent.key.reset();
  }
  parent.node.items.push_back(std::move(node));
}

void DocumentBuilder::scalar(std::string_view text, bool quoted, int line) {
  if (!admit(line)) return;
  Node node;
  node.kind = Node::Kind::scalar;
  node.quoted = quoted;
  node.text = text;
  node.where = next_place(line);
  attach(std::move(node));
}

void DocumentBuilder::null(int line) {
  if (!admit(line)) return;
  Node node;
  node.where = next_place(line);
  attach(std::move(node));
}

void DocumentBuilder::begin(Node::Kind kind, int line) {
  if (!admit(line)) return;
  if (open_.size() >= limits_.max_depth) {
    refuse(fmt::format("nested deeper than {} levels", limits_.max_depth), line);
    return;
  }
  Frame frame;
  frame.node.kind = kind;
  frame.node.where = next_place(line);
  open_.push_back(std::move(frame));
}

void DocumentBuilder::end() {
  if (error_) return;
  Node node = std::move(open_.back().node);
  open_.pop_back();
  attach(std::move(node));
}

Result<Node> DocumentBuilder::finish() {
  if (error_) return tl::unexpected(*error_);
  CHECK(open_.empty(), "a parser ends what it begins");
  return std::move(root_);
}

}  // namespace weir::rollout
