#include "model/sidecar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_fixture.h"
#include "model/yaml_tree.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;
using testing::HasSubstr;

Signature classifier() {
  Signature signature;
  signature.inputs = {{"input", DataType::fp32, {-1, 2}}, {"city", DataType::bytes, {-1, 1}}};
  signature.outputs = {{"label", DataType::int64, {-1}}, {"out", DataType::fp32, {-1, 2}}};
  derive_meaning(signature);
  return signature;
}

Signature described(std::string_view yaml, Signature signature = classifier()) {
  const auto sidecar = apply_sidecar(yaml, "v1.onnx.yaml", signature);
  EXPECT_TRUE(sidecar) << sidecar.error().message;
  return signature;
}

std::string error_of(std::string_view yaml, Signature signature = classifier()) {
  const Signature before = signature;
  const auto sidecar = apply_sidecar(yaml, "v1.onnx.yaml", signature);
  EXPECT_FALSE(sidecar) << "this is to be refused: " << yaml;
  EXPECT_EQ(signature.inputs[0].name, before.inputs[0].name) << "an error changes nothing";
  return sidecar ? std::string() : sidecar.error().message;
}

TEST(Sidecar, SaysEverythingItCanSay) {
  Signature signature = classifier();
  const auto sidecar = apply_sidecar(
      "task: binary\n"
      "classes: [no, yes]\n"  // Plain texts, though YAML takes them for booleans.
      "inputs:\n"
      "  x:\n"
      "    from: input\n"
      "    features:\n"
      "      - {name: amount, unit: EUR, missing: refuse, store: hash}\n"
      "      - {name: 1.0}\n"
      "  city: {features: [{store: drop}]}\n"
      "outputs:\n"
      "  probabilities: {from: out}\n"
      "  score: {from: probabilities, index: 1}\n"
      "  predicted: {from: label}\n"
      "isolation: process\n",
      "v1.onnx.yaml",
      signature
  );
  ASSERT_TRUE(sidecar) << sidecar.error().message;
  EXPECT_TRUE(sidecar->isolation_process);
  EXPECT_EQ(signature.task, Task::binary);
  EXPECT_THAT(signature.classes, testing::ElementsAre("no", "yes"));
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_EQ(signature.outputs[1].name, "probabilities");
  ASSERT_EQ(signature.features.size(), 3U);
  EXPECT_EQ(signature.features[0].name, "amount");
  EXPECT_EQ(signature.features[0].unit, "EUR");
  EXPECT_FALSE(signature.features[0].may_be_missing);
  EXPECT_EQ(signature.features[0].store, Keep::hash);
  EXPECT_EQ(signature.features[1].name, "1.0");
  EXPECT_TRUE(signature.features[1].may_be_missing);
  EXPECT_EQ(signature.features[2].name, "city");
  EXPECT_EQ(signature.features[2].store, Keep::drop);
  EXPECT_EQ(signature.score->output, 1U);
  EXPECT_EQ(signature.score->index, 1U);
  EXPECT_EQ(signature.predicted->output, 0U);
}

TEST(Sidecar, ChangesNothingWhenItIsEmpty) {
  for (const char* yaml : {"", "# nothing but a comment\n", "---\n"}) {
    EXPECT_EQ(described(yaml).features.size(), 3U);
  }
}

TEST(Sidecar, TakesAListOfPlainNames) {
  const auto signature = described("inputs: {input: {features: [age, income]}}");
  EXPECT_EQ(signature.features[1].name, "income");
  EXPECT_EQ(signature.features[2].name, "city");
}

TEST(Sidecar, LetsFeaturesFollowTheNameOfTheirInput) {
  const auto signature = described("inputs: {x: {from: input}, town: {from: city}}");
  EXPECT_EQ(signature.features[0].name, "x_0");
  EXPECT_EQ(signature.features[2].name, "town");
}

TEST(Sidecar, MaySwapTwoOutputs) {
  Signature two = classifier();
  two.outputs = {{"a", DataType::fp32, {-1}}, {"b", DataType::fp32, {-1}}};
  const auto signature = described("outputs: {a: {from: b}, b: {from: a}}", two);
  EXPECT_EQ(signature.outputs[0].name, "b");
  EXPECT_EQ(signature.outputs[1].name, "a");
}

TEST(Sidecar, RenamesToTheNameOfARoleOnlyWhenAsked) {
  const auto role = described("outputs: {score: {from: out}}");
  EXPECT_EQ(role.outputs[1].name, "out");
  const auto renamed = described("outputs: {score: {from: out, index: 0, rename: true}}");
  EXPECT_EQ(renamed.outputs[1].name, "score");
  EXPECT_EQ(renamed.score->index, 0U);
}

TEST(Sidecar, SaysHowManyColumnsAnOpenInputHas) {
  Signature open = classifier();
  open.inputs[0].shape = {-1, -1};
  derive_meaning(open);
  EXPECT_EQ(open.features.size(), 1U);
  const auto signature = described("inputs: {input: {features: [a, b, c]}}", open);
  EXPECT_EQ(signature.inputs[0].shape, (Shape{-1, 3}));
  ASSERT_EQ(signature.features.size(), 4U);
  EXPECT_EQ(signature.features[0].name, "a");
  EXPECT_EQ(signature.features[3].name, "city");
}

TEST(Sidecar, GivesATaskToOutputsThatDoNotSayTheirs) {
  Signature logits = classifier();
  logits.outputs = {{"y", DataType::fp32, {-1, 3}}};
  derive_meaning(logits);
  EXPECT_EQ(logits.task, Task::other);
  const auto multiclass = described("task: multiclass\nclasses: [a, b, c]", logits);
  EXPECT_EQ(multiclass.task, Task::multiclass);
  EXPECT_EQ(multiclass.score->output, 0U);

  Signature number = classifier();
  number.outputs = {{"y", DataType::fp32, {-1, 1}}};
  derive_meaning(number);
  EXPECT_EQ(number.task, Task::regression);
  const auto binary = described("task: binary", number);
  EXPECT_EQ(binary.score->index, 0U);
  EXPECT_FALSE(binary.predicted) << "the value is no class; it follows from the score";

  const auto named = described("outputs: {probabilities: {from: y}}", logits);
  EXPECT_EQ(named.task, Task::multiclass);
}

TEST(Sidecar, TakesTheScoreOfARegressionForItsValue) {
  Signature values = classifier();
  values.outputs = {{"y", DataType::fp32, {-1, 3}}};
  derive_meaning(values);
  const auto signature =
      described("task: regression\noutputs: {score: {from: y, index: 2}}", values);
  EXPECT_EQ(signature.predicted->index, 2U);
}

TEST(Sidecar, RefusesUnknownKeysWithTheirLine) {
  EXPECT_THAT(error_of("task: binary\nclases: [a, b]\n"), HasSubstr("'v1.onnx.yaml' line 2: "));
  EXPECT_THAT(error_of("clases: [a]"), HasSubstr("unknown key 'clases' in a sidecar; known are: "));
  EXPECT_THAT(error_of("inputs:\n  input:\n    feature: [a]\n"), HasSubstr("line 3: unknown key"));
  EXPECT_THAT(
      error_of("inputs: {input: {features: [{nam: a}, b]}}"),
      HasSubstr("unknown key 'nam' in a feature; known are: name, unit, missing, store")
  );
  EXPECT_THAT(error_of("outputs: {y: {from: out, index: 1}}"), HasSubstr("unknown key 'index'"));
  EXPECT_THAT(error_of("outputs: {score: {from: out, at: 1}}"), HasSubstr("unknown key 'at'"));
}

TEST(Sidecar, RefusesWhatDoesNotFitTheModel) {
  EXPECT_THAT(
      error_of("inputs: {y: {}}"), HasSubstr("the model has no input 'y'; it has: input, city")
  );
  EXPECT_THAT(
      error_of("outputs: {score: {from: p}}"), HasSubstr("no output 'p'; it has: label, out")
  );
  EXPECT_THAT(error_of("outputs: {score: {index: 1}}"), HasSubstr("'score' needs `from`"));
  EXPECT_THAT(
      error_of("outputs: {score: {from: out, index: 2}}"),
      HasSubstr("score takes element 2 of output 'out', which has 2 a row")
  );
  EXPECT_THAT(
      error_of("inputs: {input: {features: [a]}}"),
      HasSubstr("input 'input' has 2 elements a row (shape [-1,2]), but 1 features are listed")
  );
  EXPECT_THAT(
      error_of("classes: [a, b, c]"), HasSubstr("3 classes are named, and the model has 2")
  );
  EXPECT_THAT(error_of("classes: [a, a]"), HasSubstr("class 'a' stands twice"));
  EXPECT_THAT(
      error_of("inputs: {input: {features: [city, b]}}"),
      HasSubstr("two features are called 'city'")
  );
  EXPECT_THAT(
      error_of("outputs: {label: {from: out}}"), HasSubstr("two outputs are called 'label'")
  );
  EXPECT_THAT(
      error_of("outputs: {a: {from: out}, b: {from: out}}"),
      HasSubstr("'out' of the model is mapped")
  );
  EXPECT_THAT(
      error_of("inputs: {city: {features: [{missing: allow}]}}"),
      HasSubstr("only floating-point inputs can have missing values")
  );
}

TEST(Sidecar, RefusesWordsThatItDoesNotKnow) {
  EXPECT_THAT(
      error_of("task: clustering"),
      HasSubstr("task 'clustering' is none of: binary, multiclass, regression, other")
  );
  EXPECT_THAT(error_of("isolation: yes"), HasSubstr("isolation 'yes' is none of: process, none"));
  EXPECT_THAT(
      error_of("inputs: {input: {features: [{store: keeep}, b]}}"), HasSubstr("store 'keeep'")
  );
  EXPECT_THAT(
      error_of("outputs: {score: {from: out, index: -1}}"),
      HasSubstr("index has to be a whole number")
  );
  EXPECT_THAT(error_of("classes: yes"), HasSubstr("classes has to be a list"));
  EXPECT_THAT(error_of("inputs: [a]"), HasSubstr("inputs has to be a map"));
  EXPECT_THAT(error_of("task: ~\n"), HasSubstr("task has to be a text"));
}

TEST(Sidecar, RefusesMoreFeaturesThanHaveNames) {
  Signature open = classifier();
  open.inputs[0].shape = {-1, -1};
  derive_meaning(open);
  const auto list = [](int count) {
    std::string yaml = "inputs: {input: {features: [";
    for (int i = 0; i < count; ++i) yaml += fmt::format("f{},", i);
    return yaml + "]}}";
  };
  EXPECT_EQ(described(list(256), open).features.size(), 257U);
  EXPECT_THAT(error_of(list(257), open), HasSubstr("257 features; at most 256"));
}

TEST(Sidecar, IsReadBeforeTheModelForItsIsolation) {
  EXPECT_TRUE(*wants_own_process("isolation: process\nwhat: ever", "s"));
  EXPECT_TRUE(*wants_cuda("device: cuda", "s"));
  EXPECT_FALSE(*wants_cuda("device: cpu", "s"));
  EXPECT_FALSE(*wants_cuda("", "s"));
  EXPECT_FALSE(wants_cuda("device: gpu", "s"));
  EXPECT_FALSE(*wants_own_process("isolation: none", "s"));
  EXPECT_FALSE(*wants_own_process("", "s"));
  EXPECT_FALSE(wants_own_process("isolation: thread", "s"));
}

TEST(Sidecar, LiesBesideTheArtifactAndHasALimit) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/v1.onnx";
  EXPECT_EQ(*read_sidecar(path), "");
  folder.write("v1.onnx.yaml", "task: other");
  EXPECT_EQ(*read_sidecar(path, {.max_sidecar_bytes = 11}), "task: other");
  const auto too_large = read_sidecar(path, {.max_sidecar_bytes = 10});
  ASSERT_FALSE(too_large);
  EXPECT_THAT(too_large.error().message, HasSubstr("max_sidecar_bytes"));
}

TEST(YamlTree, SaysWhereTheSyntaxIsWrong) {
  EXPECT_THAT(error_of("task: binary\nclasses: [a, b\n"), HasSubstr("'v1.onnx.yaml' line "));
  EXPECT_THAT(error_of("a: 1\n---\nb: 2\n"), HasSubstr("more than one document"));
  EXPECT_THAT(error_of("task: other\ntask: other\n"), HasSubstr("'task' stands twice"));
  EXPECT_THAT(error_of("- a\n"), HasSubstr("a sidecar has to be a map"));
}

// The library's loader went on for ever, taking memory.
TEST(YamlTree, EndsOnTextsThatAreNoYaml) {
  EXPECT_FALSE(YamlTree::parse(",---\ntask: other\n", "f"));
  EXPECT_FALSE(YamlTree::parse("]", "f"));
  EXPECT_FALSE(YamlTree::parse("a: 1\n}\n", "f"));
}

TEST(YamlTree, RepeatsWhatAnAliasStandsFor) {
  const auto signature =
      described("inputs: {input: {features: [&one {unit: EUR, store: hash}, *one]}}\n");
  EXPECT_EQ(signature.features[1].unit, "EUR");
  EXPECT_EQ(signature.features[1].name, "input_1");
}

TEST(YamlTree, DoesNotLetAliasesGrowWithoutBound) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    yaml += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) yaml += fmt::format("*a{},", i - 1);
    yaml += "]\n";
  }
  const auto tree = YamlTree::parse(yaml, "bomb");
  ASSERT_FALSE(tree);
  EXPECT_THAT(tree.error().message, HasSubstr("max_nodes"));
}

TEST(YamlTree, StopsAtItsLimits) {
  EXPECT_FALSE(YamlTree::parse("&a [*a]", "a list that holds itself"));
  EXPECT_TRUE(YamlTree::parse("[a, b]", "f", {.max_nodes = 3}));
  EXPECT_FALSE(YamlTree::parse("[a, b]", "f", {.max_nodes = 2}));
  EXPECT_TRUE(YamlTree::parse("[[a]]", "f", {.max_depth = 2}));
  EXPECT_FALSE(YamlTree::parse("[[a]]", "f", {.max_depth = 1}));
  EXPECT_FALSE(YamlTree::parse(std::string(10'000, '['), "f"));
}

}  // namespace
}  // namespace weir::model
