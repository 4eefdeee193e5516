#include <sstream>
#include <string>

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "rollout/document_builder.h"

namespace weir::rollout {
namespace {

int line_of(const YAML::Mark& mark) {
  return mark.line + 1;
}

class Handler final : public YAML::EventHandler {
 public:
  explicit Handler(DocumentBuilder& builder) : builder_(builder) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_plain("?", anchor, mark);
    if (builder_.wants_key()) {
      builder_.refuse("a key is missing before ':'", line_of(mark));
    } else {
      builder_.null(line_of(mark));
    }
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    builder_.refuse("aliases (*name) are not supported; write it out", line_of(mark));
  }

  void OnScalar(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      const std::string& value
  ) override {
    check_plain(tag, anchor, mark);
    if (builder_.wants_key()) {
      builder_.key(value, line_of(mark));
    } else {
      builder_.scalar(value, tag == "!", line_of(mark));
    }
  }

  void OnSequenceStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value
  ) override {
    begin(Node::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { builder_.end(); }

  void OnMapStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value
  ) override {
    begin(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  void begin(
      Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor
  ) {
    check_plain(tag, anchor, mark);
    if (builder_.wants_key()) builder_.refuse("a key must be a plain word", line_of(mark));
    builder_.begin(kind, line_of(mark));
  }

  // The parser gives "?" to what has no tag and "!" to quoted scalars.
  void check_plain(const std::string& tag, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) builder_.refuse("anchors (&name) are not supported", line_of(mark));
    if (!tag.empty() && tag != "?" && tag != "!") {
      builder_.refuse(fmt::format("the tag '{}' is not supported", tag), line_of(mark));
    }
  }

  DocumentBuilder& builder_;
};

}  // namespace

Result<Node> read_yaml(std::string_view text, std::string_view file, const DocumentLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(
        Code::invalid_argument,
        "{} has {} bytes; at most {} are read",
        file,
        text.size(),
        limits.max_bytes
    );
  }
  DocumentBuilder builder(file, limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Handler handler(builder);
    if (!parser.HandleNextDocument(handler)) {
      Node nothing;
      nothing.where = fmt::format("{} line 1", file);
      return nothing;
    }
    if (builder.has_failed()) return builder.finish();
    DocumentBuilder second(file, limits);
    Handler second_handler(second);
    if (parser.HandleNextDocument(second_handler)) {
      return fail(
          Code::invalid_argument, "{}: one document is wanted, it has several ('---')", file
      );
    }
  } catch (const YAML::Exception& problem) {
    if (builder.has_failed()) return builder.finish();
    return fail(Code::invalid_argument, "{} line {}: {}", file, line_of(problem.mark), problem.msg);
  }
  return builder.finish();
}

}  // namespace weir::rollout
