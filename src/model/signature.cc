#include "model/signature.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>
#include <utility>

#include "model/meaning.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;

constexpr std::array<std::pair<Task, std::string_view>, 4> task_names = {{
    {Task::binary, "binary"},
    {Task::multiclass, "multiclass"},
    {Task::regression, "regression"},
    {Task::other, "other"},
}};

std::optional<std::size_t> index_of(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found = std::ranges::find(specs, name, &TensorSpec::name);
  if (found == specs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - specs.begin());
}

bool is_label_name(std::string_view name) {
  return name == "label" || name == "output_label";
}

// Words by which exporters say that the numbers are probabilities.
bool is_probability_name(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower.find("prob") != std::string::npos || lower.find("softmax") != std::string::npos;
}

bool is_whole_number(DataType datatype) {
  return datatype != DataType::bytes && datatype != DataType::boolean &&
         !tensor::is_floating(datatype);
}

// The class label: by name, else the only output with one whole number or text per row.
std::optional<std::size_t> find_label(const Signature& signature) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
    const TensorSpec& output = signature.outputs[i];
    const bool fits = is_whole_number(output.datatype) || output.datatype == DataType::bytes;
    if (!fits || row_width(signature, output) != 1) continue;
    if (is_label_name(output.name)) return i;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

// The class probabilities: the only floating-point output with a number per class, or of one column
// where the name says so.
std::optional<std::size_t> find_probabilities(const Signature& signature, bool by_name) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
    const TensorSpec& output = signature.outputs[i];
    if (!tensor::is_floating(output.datatype) || output.shape.rank() > 2) continue;
    const auto width = row_width(signature, output);
    const bool is_named = is_probability_name(output.name);
    if (is_named && (!width || *width > 0)) return i;
    if (by_name || (width && *width < 2)) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

void set_classification(
    Signature& signature, std::size_t probabilities, std::optional<std::size_t> label
) {
  const auto width = row_width(signature, signature.outputs[probabilities]);
  signature.task = width && *width <= 2 ? Task::binary : Task::multiclass;
  signature.score = OutputElement{probabilities, width == 2 ? 1U : 0U};
  if (label) signature.predicted = OutputElement{*label, 0};
}

// "a", or with a suffix when that is taken.
std::string unique_name(std::string name, std::unordered_set<std::string>& taken) {
  while (!taken.insert(name).second) name += '_';
  return name;
}

void derive_features(Signature& signature) {
  signature.features.clear();
  std::unordered_set<std::string> taken;
  for (std::size_t input = 0; input < signature.inputs.size(); ++input) {
    const TensorSpec& spec = signature.inputs[input];
    const auto width = row_width(signature, spec);
    if (!width || *width > Signature::max_features_per_input) continue;
    for (std::size_t index = 0; index < *width; ++index) {
      Feature feature;
      // An input of one column is that column.
      std::string name = *width == 1 ? spec.name : fmt::format("{}_{}", spec.name, index);
      feature.name = unique_name(std::move(name), taken);
      feature.may_be_missing = tensor::is_floating(spec.datatype);
      feature.input = input;
      feature.index = index;
      signature.features.push_back(std::move(feature));
    }
  }
}

std::string describe(const TensorSpec& spec) {
  return fmt::format("{} {}", tensor::to_string(spec.datatype), tensor::to_string(spec.shape));
}

// Whether every tensor that fits `narrow` fits `wide`.
bool covers(const Shape& wide, const Shape& narrow) {
  return wide.accepts(narrow);
}

// Whether an answer of shape `given` may be what a client of `expected` reads.
bool may_agree(const Shape& given, const Shape& expected) {
  if (given.rank() != expected.rank()) return false;
  for (std::size_t axis = 0; axis < given.rank(); ++axis) {
    const bool is_open = given[axis] == -1 || expected[axis] == -1;
    if (!is_open && given[axis] != expected[axis]) return false;
  }
  return true;
}

// The candidate's only tensor that would do for `wanted`, were it not for its name.
template <class Fits>
const TensorSpec* other_name_for(
    const TensorSpec& wanted,
    const std::vector<TensorSpec>& candidates,
    const std::vector<TensorSpec>& served,
    Fits fits
) {
  const TensorSpec* found = nullptr;
  for (const TensorSpec& candidate : candidates) {
    const bool is_free = !index_of(served, candidate.name);
    if (!is_free || candidate.datatype != wanted.datatype || !fits(candidate.shape, wanted.shape)) {
      continue;
    }
    if (found != nullptr) return nullptr;
    found = &candidate;
  }
  return found;
}

class Differences {
 public:
  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!text_.empty()) text_ += "; ";
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void compare_inputs(const Signature& served, const Signature& candidate, Differences& differences) {
  for (const TensorSpec& wanted : served.inputs) {
    const auto index = candidate.input_index(wanted.name);
    if (!index) {
      const auto* other = other_name_for(wanted, candidate.inputs, served.inputs, covers);
      if (other != nullptr) {
        differences.add(
            "input '{0}' {1} is called '{2}' in the candidate: map it in its sidecar with "
            "inputs: {{{0}: {{from: {2}}}}}",
            wanted.name,
            describe(wanted),
            other->name
        );
      } else {
        differences.add("input '{}' {} is not taken", wanted.name, describe(wanted));
      }
      continue;
    }
    const TensorSpec& given = candidate.inputs[*index];
    if (given.datatype != wanted.datatype || !covers(given.shape, wanted.shape)) {
      differences.add(
          "input '{}' is {}, clients send {}", wanted.name, describe(given), describe(wanted)
      );
    }
  }
  for (const TensorSpec& given : candidate.inputs) {
    if (served.input_index(given.name)) continue;
    if (other_name_for(given, served.inputs, candidate.inputs, may_agree) != nullptr) continue;
    differences.add("input '{}' {} is new: clients do not send it", given.name, describe(given));
  }
}

void compare_outputs(
    const Signature& served, const Signature& candidate, Differences& differences
) {
  for (const TensorSpec& wanted : served.outputs) {
    const auto index = candidate.output_index(wanted.name);
    if (!index) {
      const auto* other = other_name_for(wanted, candidate.outputs, served.outputs, may_agree);
      if (other != nullptr) {
        differences.add(
            "output '{0}' {1} is called '{2}' in the candidate: map it in its sidecar with "
            "outputs: {{{0}: {{from: {2}{3}}}}}",
            wanted.name,
            describe(wanted),
            other->name,
            is_role_name(wanted.name) ? ", rename: true" : ""
        );
      } else {
        differences.add("output '{}' {} is not given", wanted.name, describe(wanted));
      }
      continue;
    }
    const TensorSpec& given = candidate.outputs[*index];
    if (given.datatype != wanted.datatype || !may_agree(given.shape, wanted.shape)) {
      differences.add(
          "output '{}' is {}, clients expect {}", wanted.name, describe(given), describe(wanted)
      );
    }
  }
}

}  // namespace

std::string_view to_string(Task task) {
  for (const auto& [value, name] : task_names) {
    if (value == task) return name;
  }
  return "other";
}

std::optional<Task> parse_task(std::string_view name) {
  for (const auto& [value, text] : task_names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

std::optional<std::size_t> Signature::input_index(std::string_view name) const {
  return index_of(inputs, name);
}
std::optional<std::size_t> Signature::output_index(std::string_view name) const {
  return index_of(outputs, name);
}

bool is_role_name(std::string_view name) {
  return name == "score" || name == "predicted";
}

std::optional<std::size_t> row_width(const Signature& signature, const TensorSpec& spec) {
  Shape row;
  for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) {
    if (axis == 0 && signature.has_row_axis && spec.shape[axis] == -1) continue;
    row.push_back(spec.shape[axis]);
  }
  const auto count = row.element_count();
  if (!count) return std::nullopt;
  return static_cast<std::size_t>(*count);
}

void derive_outputs(Signature& signature, std::optional<Task> task) {
  signature.score.reset();
  signature.predicted.reset();
  signature.task = task.value_or(Task::other);
  const bool is_free = !task;
  const bool wants_classes = task == Task::binary || task == Task::multiclass;
  const auto label = find_label(signature);
  const bool has_one_output = signature.outputs.size() == 1;

  if (is_free || wants_classes) {
    const auto probabilities = find_probabilities(signature, is_free && !label);
    if (probabilities) {
      set_classification(signature, *probabilities, label);
    } else if (wants_classes) {
      if (has_one_output && tensor::is_floating(signature.outputs.front().datatype)) {
        set_classification(signature, 0, std::nullopt);
      } else if (label) {
        signature.predicted = OutputElement{*label, 0};
      }
    }
    if (wants_classes) signature.task = *task;
    if (probabilities || wants_classes) return;
  }
  // A label alone still says what was predicted.
  if (is_free && label && (has_one_output || is_label_name(signature.outputs[*label].name))) {
    signature.predicted = OutputElement{*label, 0};
  }
  if (!is_free && task != Task::regression) return;
  if (has_one_output && tensor::is_floating(signature.outputs.front().datatype) &&
      (row_width(signature, signature.outputs.front()) == 1 || task == Task::regression)) {
    signature.task = Task::regression;
    signature.score = OutputElement{0, 0};
    signature.predicted = OutputElement{0, 0};
  }
}

void derive_meaning(Signature& signature) {
  signature.has_row_axis =
      !signature.inputs.empty() && std::ranges::all_of(signature.inputs, [](const auto& input) {
        return input.shape.rank() > 0 && input.shape[0] == -1;
      });
  derive_features(signature);
  derive_outputs(signature, std::nullopt);
}

Result<void> check_can_replace(const Signature& served, const Signature& candidate) {
  Differences differences;
  compare_inputs(served, candidate, differences);
  compare_outputs(served, candidate, differences);
  if (differences.text().empty()) return {};
  return fail(
      Code::invalid_argument,
      "the candidate cannot stand in for the served version: {}",
      differences.text()
  );
}

}  // namespace weir::model
