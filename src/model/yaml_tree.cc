#include "model/yaml_tree.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <unordered_map>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace weir::model {
namespace {

std::string list_of(std::initializer_list<std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

}  // namespace

// Takes the library's events. After the first error it ignores the rest. (The library's own loader
// of several documents never ends on some texts that are no YAML, so it is not used.)
class YamlBuilder final : public YAML::EventHandler {
 public:
  YamlBuilder(std::string_view file, const YamlOptions& options) : file_(file), options_(options) {}

  Result<YamlTree> take_root() {
    if (error_) return tl::unexpected(*error_);
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (begin(mark, YamlTree::Kind::null, anchor)) end();
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      set_error(at(mark).fail_here("an alias of a value that holds it"));
    } else if (count(found->second.nodes, mark)) {
      append(found->second.tree);
    }
  }
  void OnScalar(
      const YAML::Mark& mark,
      const std::string& /*tag*/,
      YAML::anchor_t anchor,
      const std::string& value
  ) override {
    if (!begin(mark, YamlTree::Kind::scalar, anchor)) return;
    open_.back().tree.scalar_ = value;
    end();
  }
  void OnSequenceStart(
      const YAML::Mark& mark,
      const std::string& /*tag*/,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value /*style*/
  ) override {
    begin(mark, YamlTree::Kind::list, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(
      const YAML::Mark& mark,
      const std::string& /*tag*/,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value /*style*/
  ) override {
    begin(mark, YamlTree::Kind::map, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Anchored {
    YamlTree tree;
    std::size_t nodes = 0;
  };
  struct Open {
    YamlTree tree;
    YAML::anchor_t anchor = 0;  // 0 is none.
    std::size_t nodes_before = 0;
  };

  YamlTree at(const YAML::Mark& mark) const {
    YamlTree tree;
    tree.file_ = file_;
    tree.line_ = mark.line + 1;
    return tree;
  }

  bool begin(const YAML::Mark& mark, YamlTree::Kind kind, YAML::anchor_t anchor) {
    const std::size_t nodes_before = nodes_;
    if (!count(1, mark)) return false;
    if (open_.size() > options_.max_depth) {
      set_error(at(mark).fail_here("nested deeper than {} levels (max_depth)", options_.max_depth));
      return false;
    }
    open_.push_back({at(mark), anchor, nodes_before});
    open_.back().tree.kind_ = kind;
    return true;
  }

  void end() {
    if (error_) return;
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != 0) anchored_[done.anchor] = {done.tree, nodes_ - done.nodes_before};
    append(std::move(done.tree));
  }

  void append(YamlTree tree) {
    if (open_.empty()) {
      root_ = std::move(tree);
    } else {
      open_.back().tree.items_.push_back(std::move(tree));
    }
  }

  // Counts values, because aliases can make a short text very large; false after an error.
  bool count(std::size_t nodes, const YAML::Mark& mark) {
    if (error_) return false;
    nodes_ += nodes;
    if (nodes_ <= options_.max_nodes) return true;
    set_error(at(mark).fail_here("more than {} values (max_nodes)", options_.max_nodes));
    return false;
  }

  void set_error(tl::unexpected<Error> error) {
    if (!error_) error_ = std::move(error).value();
  }

  std::string_view file_;
  const YamlOptions& options_;
  YamlTree root_;
  std::vector<Open> open_;  // From the outermost list or map to the innermost.
  std::unordered_map<YAML::anchor_t, Anchored> anchored_;
  std::size_t nodes_ = 0;
  std::optional<Error> error_;
};

Result<YamlTree> YamlTree::parse(
    std::string_view yaml, std::string_view file, const YamlOptions& options
) {
  try {
    std::istringstream text{std::string(yaml)};
    YAML::Parser parser(text);
    YamlBuilder builder(file, options);
    parser.HandleNextDocument(builder);
    YamlTree root = TRY(builder.take_root());
    if (!parser) return root;
    return root.fail_here("the file has more than one document, or goes on after its end");
  } catch (const YAML::Exception& error) {
    return fail(Code::invalid_argument, "'{}' line {}: {}", file, error.mark.line + 1, error.msg);
  }
}

Result<std::string> YamlTree::text(std::string_view what) const {
  if (kind_ != Kind::scalar || scalar_.empty()) {
    return fail_here("{} has to be a text that is not empty", what);
  }
  return scalar_;
}

Result<std::size_t> YamlTree::whole_number(std::string_view what) const {
  const std::string digits = TRY(text(what));
  std::size_t value = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value);
  if (error != std::errc() || end != last) {
    return fail_here("{} has to be a whole number from 0 on, not '{}'", what, digits);
  }
  return value;
}

Result<bool> YamlTree::truth(std::string_view what) const {
  return TRY(one_of(what, {"true", "false"})) == "true";
}

Result<std::string> YamlTree::one_of(
    std::string_view what, std::initializer_list<std::string_view> words
) const {
  std::string word = TRY(text(what));
  if (std::ranges::find(words, word) == words.end()) {
    return fail_here("{} '{}' is none of: {}", what, word, list_of(words));
  }
  return word;
}

Result<std::vector<YamlPair>> YamlTree::pairs(std::string_view what) const {
  if (kind_ != Kind::map) return fail_here("{} has to be a map of keys to values", what);
  std::vector<YamlPair> found;
  for (std::size_t i = 0; i + 1 < items_.size(); i += 2) {
    YamlPair pair{TRY(items_[i].text("a key")), &items_[i], &items_[i + 1]};
    if (std::ranges::find(found, pair.key, &YamlPair::key) != found.end()) {
      return items_[i].fail_here("'{}' stands twice in {}", pair.key, what);
    }
    found.push_back(std::move(pair));
  }
  return found;
}

tl::unexpected<Error> YamlPair::unknown(
    std::string_view what, std::initializer_list<std::string_view> known
) const {
  return key_node->fail_here("unknown key '{}' in {}; known are: {}", key, what, list_of(known));
}

}  // namespace weir::model
