#include "model/yaml_tree.h"

#include <algorithm>
#include <charconv>

#include <yaml-cpp/yaml.h>

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

// Copies the library's nodes; counts them, because aliases can make a short text very large.
class YamlBuilder {
 public:
  YamlBuilder(std::string_view file, const YamlOptions& options) : file_(file), options_(options) {}

  Result<YamlTree> build(const YAML::Node& node, std::size_t depth) {
    YamlTree tree;
    tree.file_ = file_;
    tree.line_ = node.Mark().line + 1;
    if (++nodes_ > options_.max_nodes) {
      return tree.fail_here("more than {} values (max_nodes)", options_.max_nodes);
    }
    if (depth > options_.max_depth) {
      return tree.fail_here("nested deeper than {} levels (max_depth)", options_.max_depth);
    }
    if (node.IsScalar()) {
      tree.kind_ = YamlTree::Kind::scalar;
      tree.scalar_ = node.Scalar();
    } else if (node.IsSequence()) {
      tree.kind_ = YamlTree::Kind::list;
      for (const YAML::Node& item : node) tree.items_.push_back(TRY(build(item, depth + 1)));
    } else if (node.IsMap()) {
      tree.kind_ = YamlTree::Kind::map;
      for (const auto& pair : node) {
        tree.items_.push_back(TRY(build(pair.first, depth + 1)));
        tree.items_.push_back(TRY(build(pair.second, depth + 1)));
      }
    }
    return tree;
  }

 private:
  std::string_view file_;
  const YamlOptions& options_;
  std::size_t nodes_ = 0;
};

Result<YamlTree> YamlTree::parse(
    std::string_view yaml, std::string_view file, const YamlOptions& options
) {
  try {
    const auto documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() > 1) {
      return fail(
          Code::invalid_argument, "'{}' has {} documents; one is wanted", file, documents.size()
      );
    }
    const YAML::Node root = documents.empty() ? YAML::Node() : documents.front();
    return YamlBuilder(file, options).build(root, 0);
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
