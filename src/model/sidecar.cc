#include "model/sidecar.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/file.h"
#include "model/meaning.h"
#include "model/yaml_tree.h"

namespace weir::model {
namespace {

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (!text.empty()) text += ", ";
    text += spec.name;
  }
  return text;
}

Result<bool> read_isolation(const YamlTree& value) {
  return TRY(value.one_of("isolation", {"process", "none"})) == "process";
}

Result<bool> read_device(const YamlTree& value) {
  return TRY(value.one_of("device", {"cpu", "cuda"})) == "cuda";
}

// Reads the document into a signature. One use.
class SidecarReader {
 public:
  // The signature is changed in place and is of no use after an error.
  explicit SidecarReader(Signature& signature) : own_(signature), signature_(signature) {}

  Result<Sidecar> read(const YamlTree& root);

 private:
  struct Role {
    std::size_t output = 0;
    std::optional<std::size_t> index;
    const YamlTree* node = nullptr;
  };

  Result<void> read_key(const YamlPair& pair, Sidecar& sidecar);
  Result<void> read_classes(const YamlTree& list);
  Result<void> read_input(const YamlPair& input);
  Result<void> read_features(std::size_t input, const YamlTree& list);
  Result<void> read_feature(const YamlTree& item, Feature& feature) const;
  Result<void> read_output(const YamlPair& output);
  Result<void> rename_output(std::size_t output, const YamlPair& pair);
  void rename_input(std::size_t input, const std::string& name);
  void replace_features(std::size_t input, const std::vector<Feature>& features);
  Result<void> check_names(const YamlTree& root) const;
  Result<void> apply_meaning();
  Result<void> check_classes() const;
  Result<OutputElement> element(const Role& role, std::string_view what) const;

  const Signature own_;  // As the artifact has it: `from` means its names.
  Signature& signature_;
  std::optional<Task> task_;
  const YamlTree* classes_ = nullptr;
  std::optional<Role> score_;
  std::optional<Role> predicted_;
  bool has_renamed_outputs_ = false;
};

Result<Sidecar> SidecarReader::read(const YamlTree& root) {
  Sidecar sidecar;
  if (root.kind() == YamlTree::Kind::null) return sidecar;  // Empty, or nothing but comments.
  const auto pairs = TRY(root.pairs("a sidecar"));
  for (const YamlPair& pair : pairs) TRY(read_key(pair, sidecar));
  TRY(check_names(root));
  TRY(apply_meaning());
  return sidecar;
}

Result<void> SidecarReader::read_key(const YamlPair& pair, Sidecar& sidecar) {
  if (pair.key == "task") {
    task_ =
        parse_task(TRY(pair.value->one_of("task", {"binary", "multiclass", "regression", "other"}))
        );
  } else if (pair.key == "classes") {
    TRY(read_classes(*pair.value));
  } else if (pair.key == "inputs") {
    const auto inputs = TRY(pair.value->pairs("inputs"));
    for (const YamlPair& input : inputs) TRY(read_input(input));
  } else if (pair.key == "outputs") {
    const auto outputs = TRY(pair.value->pairs("outputs"));
    for (const YamlPair& output : outputs) TRY(read_output(output));
  } else if (pair.key == "isolation") {
    sidecar.isolation_process = TRY(read_isolation(*pair.value));
  } else if (pair.key == "device") {
    sidecar.device_cuda = TRY(read_device(*pair.value));
  } else {
    return pair.unknown(
        "a sidecar", {"task", "classes", "inputs", "outputs", "isolation", "device"}
    );
  }
  return {};
}

Result<void> SidecarReader::read_classes(const YamlTree& list) {
  if (list.kind() != YamlTree::Kind::list) {
    return list.fail_here("classes has to be a list of names, by index");
  }
  signature_.classes.clear();
  std::unordered_set<std::string> seen;
  for (const YamlTree& item : list.items()) {
    const std::string name = TRY(item.text("a class"));
    if (!seen.insert(name).second) return item.fail_here("class '{}' stands twice", name);
    signature_.classes.push_back(name);
  }
  classes_ = &list;
  return {};
}

Result<void> SidecarReader::read_input(const YamlPair& input) {
  std::string from = input.key;
  const YamlTree* features = nullptr;
  const auto parts = TRY(input.value->pairs("an input"));
  for (const YamlPair& part : parts) {
    if (part.key == "from") {
      from = TRY(part.value->text("from"));
    } else if (part.key == "features") {
      features = part.value;
    } else {
      return part.unknown("an input", {"from", "features"});
    }
  }
  const auto index = own_.input_index(from);
  if (!index) {
    return input.key_node->fail_here(
        "the model has no input '{}'; it has: {}", from, names_of(own_.inputs)
    );
  }
  if (signature_.inputs[*index].name != own_.inputs[*index].name) {
    return input.key_node->fail_here("input '{}' of the model is mapped twice", from);
  }
  rename_input(*index, input.key);
  if (features != nullptr) TRY(read_features(*index, *features));
  return {};
}

// Features that were named after the input follow it.
void SidecarReader::rename_input(std::size_t input, const std::string& name) {
  const std::string old = std::exchange(signature_.inputs[input].name, name);
  for (Feature& feature : signature_.features) {
    if (feature.input != input) continue;
    if (feature.name == old) {
      feature.name = name;
    } else if (feature.name == fmt::format("{}_{}", old, feature.index)) {
      feature.name = fmt::format("{}_{}", name, feature.index);
    }
  }
}

Result<void> SidecarReader::read_features(std::size_t input, const YamlTree& list) {
  TensorSpec& spec = signature_.inputs[input];
  if (list.kind() != YamlTree::Kind::list) return list.fail_here("features has to be a list");
  const std::size_t count = list.items().size();
  if (count > Signature::max_features_per_input) {
    return list.fail_here(
        "{} features; at most {} of an input have names, a wider one is recorded as one list",
        count,
        Signature::max_features_per_input
    );
  }
  // The list says how wide a row is where the model leaves that open.
  const bool is_open = signature_.has_row_axis && spec.shape.rank() == 2 && spec.shape[1] == -1;
  if (is_open) spec.shape.set(1, static_cast<std::int64_t>(count));
  const auto width = row_width(signature_, spec);
  if (width != count) {
    return list.fail_here(
        "input '{}' has {} elements a row (shape {}), but {} features are listed",
        spec.name,
        width ? fmt::format("{}", *width) : "a variable number of",
        tensor::to_string(spec.shape),
        count
    );
  }
  std::vector<Feature> features;
  for (const Feature& feature : signature_.features) {
    if (feature.input == input) features.push_back(feature);
  }
  features.resize(count);
  for (std::size_t index = 0; index < count; ++index) {
    Feature& feature = features[index];
    if (feature.name.empty()) {
      feature.name = fmt::format("{}_{}", spec.name, index);
      feature.may_be_missing = tensor::is_floating(spec.datatype);
    }
    feature.input = input;
    feature.index = index;
    TRY(read_feature(list.items()[index], feature));
  }
  replace_features(input, features);
  return {};
}

void SidecarReader::replace_features(std::size_t input, const std::vector<Feature>& features) {
  std::vector<Feature>& all = signature_.features;
  std::erase_if(all, [&](const Feature& feature) { return feature.input == input; });
  const auto position =
      std::ranges::find_if(all, [&](const Feature& feature) { return feature.input > input; });
  all.insert(position, features.begin(), features.end());
}

// An item is a name, or a map that names, measures or restricts the feature.
Result<void> SidecarReader::read_feature(const YamlTree& item, Feature& feature) const {
  if (item.kind() == YamlTree::Kind::scalar) {
    feature.name = TRY(item.text("a feature's name"));
    return {};
  }
  const auto parts = TRY(item.pairs("a feature"));
  for (const YamlPair& part : parts) {
    if (part.key == "name") {
      feature.name = TRY(part.value->text("a feature's name"));
    } else if (part.key == "unit") {
      feature.unit = TRY(part.value->text("a feature's unit"));
    } else if (part.key == "missing") {
      feature.may_be_missing = TRY(part.value->one_of("missing", {"allow", "refuse"})) == "allow";
      if (feature.may_be_missing &&
          !tensor::is_floating(signature_.inputs[feature.input].datatype)) {
        return part.value->fail_here("only floating-point inputs can have missing values");
      }
    } else if (part.key == "store") {
      const std::string word = TRY(part.value->one_of("store", {"keep", "hash", "drop"}));
      feature.store = word == "keep" ? Keep::keep : word == "hash" ? Keep::hash : Keep::drop;
    } else {
      return part.unknown("a feature", {"name", "unit", "missing", "store"});
    }
  }
  return {};
}

Result<void> SidecarReader::read_output(const YamlPair& output) {
  const bool is_role = is_role_name(output.key);
  std::string from = is_role ? std::string() : output.key;
  bool renames = !is_role;
  Role role;
  role.node = output.key_node;
  const auto parts = TRY(output.value->pairs("an output"));
  for (const YamlPair& part : parts) {
    if (part.key == "from") {
      from = TRY(part.value->text("from"));
    } else if (part.key == "index" && is_role) {
      role.index = TRY(part.value->whole_number("index"));
    } else if (part.key == "rename" && is_role) {
      renames = TRY(part.value->truth("rename"));
    } else if (is_role) {
      return part.unknown("the role of an output", {"from", "index", "rename"});
    } else {
      return part.unknown("an output", {"from"});
    }
  }
  if (from.empty()) {
    return output.key_node->fail_here("'{}' needs `from`: the name of an output", output.key);
  }
  auto index = own_.output_index(from);
  if (!index && is_role) index = signature_.output_index(from);  // A name given further up.
  if (!index) {
    return output.key_node->fail_here(
        "the model has no output '{}'; it has: {}", from, names_of(own_.outputs)
    );
  }
  if (renames) TRY(rename_output(*index, output));
  role.output = *index;
  if (output.key == "score") score_ = role;
  if (output.key == "predicted") predicted_ = role;
  return {};
}

Result<void> SidecarReader::rename_output(std::size_t output, const YamlPair& pair) {
  std::string& name = signature_.outputs[output].name;
  if (name != own_.outputs[output].name) {
    return pair.key_node->fail_here(
        "output '{}' of the model is mapped twice", own_.outputs[output].name
    );
  }
  has_renamed_outputs_ = has_renamed_outputs_ || name != pair.key;
  name = pair.key;
  return {};
}

// Renaming and naming may have made two of a kind.
Result<void> SidecarReader::check_names(const YamlTree& root) const {
  for (const auto* specs : {&signature_.inputs, &signature_.outputs}) {
    std::unordered_set<std::string_view> seen;
    for (const TensorSpec& spec : *specs) {
      if (seen.insert(spec.name).second) continue;
      const char* what = specs == &signature_.inputs ? "inputs" : "outputs";
      return root.fail_here("two {} are called '{}'", what, spec.name);
    }
  }
  std::unordered_set<std::string_view> seen;
  for (const Feature& feature : signature_.features) {
    if (seen.insert(feature.name).second) continue;
    return root.fail_here("two features are called '{}'", feature.name);
  }
  return {};
}

Result<void> SidecarReader::apply_meaning() {
  const bool is_another_task = task_ && *task_ != signature_.task;
  const bool may_know_more = has_renamed_outputs_ && !task_ && signature_.task == Task::other;
  if (is_another_task || may_know_more) derive_outputs(signature_, task_);
  if (score_) {
    const TensorSpec& output = signature_.outputs[score_->output];
    if (output.datatype == tensor::DataType::bytes) {
      return score_->node->fail_here(
          "score has to be a number, and output '{}' is BYTES", output.name
      );
    }
    signature_.score = TRY(element(*score_, "score"));
  }
  if (predicted_) {
    signature_.predicted = TRY(element(*predicted_, "predicted"));
  } else if (score_ && signature_.task == Task::regression) {
    signature_.predicted = signature_.score;
  }
  return check_classes();
}

Result<void> SidecarReader::check_classes() const {
  if (classes_ == nullptr) return {};
  std::optional<std::size_t> expected;
  if (signature_.task == Task::binary) expected = 2;
  if (signature_.task == Task::multiclass && signature_.score) {
    expected = row_width(signature_, signature_.outputs[signature_.score->output]);
  }
  if (!expected || *expected == signature_.classes.size()) return {};
  return classes_->fail_here(
      "{} classes are named, and the model has {}", signature_.classes.size(), *expected
  );
}

Result<OutputElement> SidecarReader::element(const Role& role, std::string_view what) const {
  const TensorSpec& output = signature_.outputs[role.output];
  const auto width = row_width(signature_, output);
  // A binary model with a column per class: the score is the probability of class 1.
  const bool is_second = what == "score" && signature_.task == Task::binary && width == 2;
  const std::size_t index = role.index.value_or(is_second ? 1 : 0);
  if (width && index >= *width) {
    return role.node->fail_here(
        "{} takes element {} of output '{}', which has {} a row", what, index, output.name, *width
    );
  }
  return OutputElement{role.output, index};
}

}  // namespace

Result<Sidecar> apply_sidecar(std::string_view yaml, std::string_view file, Signature& signature) {
  const YamlTree root = TRY(YamlTree::parse(yaml, file));
  Signature changed = signature;
  const Sidecar sidecar = TRY(SidecarReader(changed).read(root));
  signature = std::move(changed);
  return sidecar;
}

namespace {

// One key alone; false without it.
Result<bool> read_alone(
    std::string_view yaml,
    std::string_view file,
    std::string_view key,
    Result<bool> (*read)(const YamlTree&)
) {
  const YamlTree root = TRY(YamlTree::parse(yaml, file));
  if (root.kind() != YamlTree::Kind::map) return false;
  const auto pairs = TRY(root.pairs("a sidecar"));
  for (const YamlPair& pair : pairs) {
    if (pair.key == key) return read(*pair.value);
  }
  return false;
}

}  // namespace

Result<bool> wants_own_process(std::string_view yaml, std::string_view file) {
  return read_alone(yaml, file, "isolation", read_isolation);
}

Result<bool> wants_cuda(std::string_view yaml, std::string_view file) {
  return read_alone(yaml, file, "device", read_device);
}

Result<std::string> read_sidecar(const std::string& path, const SidecarOptions& options) {
  const std::string file = path + ".yaml";
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error == std::errc::no_such_file_or_directory) return std::string();
  if (!error && size > options.max_sidecar_bytes) {
    return fail(
        Code::invalid_argument,
        "the sidecar '{}' has {} bytes; max_sidecar_bytes allows {}",
        file,
        size,
        options.max_sidecar_bytes
    );
  }
  return system_files().read(file);
}

}  // namespace weir::model
