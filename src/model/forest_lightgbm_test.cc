#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/forest_reader.h"

namespace weir::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t max_nodes = 1'000;

// One numeric split, one categorical split ({1, 33}), and a tree without a split.
const std::string plain_model = R"(tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=Column_0 Column_1
feature_infos=[0:1] none

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
split_gain=1 1
threshold=0.5 0
decision_type=10 1
left_child=1 -1
right_child=-3 -2
leaf_value=1 2 4
cat_boundaries=0 2
cat_threshold=2 2
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
leaf_value=100
shrinkage=1


end of trees

feature_importances:
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<double> answer(const std::string& model_text, const std::vector<float>& row) {
  const Result<ForestModel> model = read_lightgbm(model_text, max_nodes);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  std::vector<std::int32_t> keys(model->forest.keys_per_row());
  std::vector<double> sums(model->forest.group_count());
  model->forest.evaluate(row, 1, keys, sums);
  return sums;
}

std::string refusal(const std::string& from, const std::string& to) {
  const Result<ForestModel> model = read_lightgbm(replaced(plain_model, from, to), max_nodes);
  EXPECT_FALSE(model) << "it should be refused";
  return model ? "" : model.error().message;
}

TEST(Lightgbm, AddsTheLeavesOfItsTrees) {
  EXPECT_THAT(answer(plain_model, {0.5, 1}), ElementsAre(101));
  EXPECT_THAT(answer(plain_model, {0.5, 33}), ElementsAre(101));
  EXPECT_THAT(answer(plain_model, {0.5, 2}), ElementsAre(102));
  EXPECT_THAT(answer(plain_model, {0.5, NAN}), ElementsAre(102));
  EXPECT_THAT(answer(plain_model, {0.6F, 1}), ElementsAre(104));
}

TEST(Lightgbm, SendsMissingValuesByTheTypeOfTheSplit) {
  // Types: 0 none, 4 zero, 8 NaN; 2 is default left. The threshold is 0.5, left is 102.
  const auto go = [](const std::string& type, float value) {
    return answer(
        replaced(plain_model, "decision_type=10", "decision_type=" + type), {value, 2}
    )[0];
  };
  EXPECT_EQ(go("10", NAN), 102);
  EXPECT_EQ(go("8", NAN), 104);
  EXPECT_EQ(go("8", 0), 102);
  EXPECT_EQ(go("0", NAN), 102) << "NaN is 0 there";
  EXPECT_EQ(go("4", 0), 104);
  EXPECT_EQ(go("4", 1e-36F), 104);
  EXPECT_EQ(go("4", NAN), 104);
  EXPECT_EQ(go("6", NAN), 102);
}

TEST(Lightgbm, ReadsLinesThatEndAsOnWindows) {
  std::string windows;
  for (const char character : plain_model) {
    if (character == '\n') windows += '\r';
    windows += character;
  }
  EXPECT_THAT(answer(windows, {0.5, 1}), ElementsAre(101));
}

TEST(Lightgbm, KnowsHowEachObjectiveAnswers) {
  const auto read = [](const std::string& objective) {
    return *read_lightgbm(replaced(plain_model, "objective=regression", objective), max_nodes);
  };
  EXPECT_EQ(read("objective=regression").link, Link::identity);
  EXPECT_EQ(read("objective=regression sqrt").link, Link::signed_square);
  EXPECT_EQ(read("objective=tweedie tweedie_variance_power:1.5").link, Link::exponential);
  EXPECT_EQ(read("objective=cross_entropy_lambda").link, Link::softplus);
  EXPECT_EQ(read("objective=lambdarank").task, Task::other);
  EXPECT_EQ(read("is_own=1").task, Task::other) << "a model of the user's own objective";
  const ForestModel binary = read("objective=binary sigmoid:0.5");
  EXPECT_EQ(binary.task, Task::binary);
  EXPECT_EQ(binary.link, Link::logistic);
  EXPECT_EQ(binary.scale, 0.5);
}

TEST(Lightgbm, SpreadsTreesOverClasses) {
  std::string classes =
      replaced(plain_model, "num_tree_per_iteration=1", "num_tree_per_iteration=2");
  classes = replaced(classes, "objective=regression", "objective=multiclass num_class:2");
  EXPECT_THAT(answer(classes, {0.6F, 1}), ElementsAre(4, 100));
  EXPECT_EQ(read_lightgbm(classes, max_nodes)->task, Task::multiclass);
}

TEST(Lightgbm, AveragesRandomForests) {
  const std::string forest =
      replaced(plain_model, "feature_infos", "average_output\nfeature_infos");
  EXPECT_EQ(read_lightgbm(forest, max_nodes)->divisor, 2);
  EXPECT_EQ(read_lightgbm(plain_model, max_nodes)->divisor, 1);
}

TEST(Lightgbm, TakesFeatureNamesThatPeopleGave) {
  EXPECT_THAT(read_lightgbm(plain_model, max_nodes)->feature_names, ElementsAre());
  const std::string named = replaced(plain_model, "Column_0 Column_1", "age Column_1");
  EXPECT_THAT(read_lightgbm(named, max_nodes)->feature_names, ElementsAre("age", "Column_1"));
}

TEST(Lightgbm, RefusesHeadersThatCannotBe) {
  EXPECT_THAT(refusal("version=v4", "version=v9"), HasSubstr("its version is 'v9'"));
  EXPECT_THAT(refusal("feature_idx=1", "feature_idx=x"), HasSubstr("max_feature_idx has 'x'"));
  EXPECT_THAT(refusal("feature_idx=1", "feature_idx=-1"), HasSubstr("max_feature_idx is -1"));
  EXPECT_THAT(
      refusal("feature_idx=1", "feature_idx=16777216"), HasSubstr("it must be 0 to 16777215")
  );
  EXPECT_THAT(refusal("iteration=1", "iteration=0"), HasSubstr("it has 0 trees per iteration"));
  EXPECT_THAT(refusal("iteration=1", "iteration=2"), HasSubstr("for objective regression"));
  EXPECT_THAT(refusal("objective=regression", "objective=mine"), HasSubstr("'mine' is not one"));
  EXPECT_THAT(
      refusal("feature_infos", "tree_sizes=1 2 3\nfeature_infos"),
      HasSubstr("2 trees, but its header is for 3")
  );
  EXPECT_THAT(refusal("end of trees", ""), HasSubstr("truncated: it stops in tree 1"));
  EXPECT_THAT(read_lightgbm("tree\n", max_nodes).error().message, HasSubstr("before its trees"));
}

TEST(Lightgbm, RefusesTreesThatCannotBeAndNamesThem) {
  EXPECT_THAT(refusal("num_leaves=3", "num_leaves=4"), HasSubstr("tree 0: num_leaves is 4, of 3"));
  EXPECT_THAT(
      refusal("num_leaves=1\n", "num_leaves=1000000000000\n"), HasSubstr("tree 1: num_leaves")
  );
  EXPECT_THAT(refusal("leaf_value=100", "leaf_value="), HasSubstr("num_leaves is 1, of 0"));
  EXPECT_THAT(refusal("leaf_value=100", "leaf_value=1e"), HasSubstr("leaf_value has '1e'"));
  EXPECT_THAT(refusal("split_feature=0 1", "split_feature=0"), HasSubstr("2 splits each"));
  EXPECT_THAT(refusal("split_feature=0 1", "split_feature=0 2"), HasSubstr("looks at feature 2"));
  EXPECT_THAT(refusal("split_feature=0 1", "split_feature=0 -1"), HasSubstr("looks at feature -1"));
  EXPECT_THAT(refusal("left_child=1 -1", "left_child=2 -1"), HasSubstr("node 0 has the child 2"));
  EXPECT_THAT(refusal("left_child=1 -1", "left_child=1 -4"), HasSubstr("node 1 has the child -4"));
  EXPECT_THAT(refusal("left_child=1 -1", "left_child=0 -1"), HasSubstr("node 0 is reached twice"));
  EXPECT_THAT(refusal("left_child=1 -1", "left_child=1 1"), HasSubstr("node 1 is reached twice"));
  EXPECT_THAT(refusal("threshold=0.5 0", "threshold=nan 0"), HasSubstr("NaN as its threshold"));
  EXPECT_THAT(refusal("threshold=0.5 0", "threshold=0.5 1"), HasSubstr("no set of categories"));
  EXPECT_THAT(refusal("threshold=0.5 0", "threshold=0.5 nan"), HasSubstr("no set of categories"));
  EXPECT_THAT(refusal("boundaries=0 2", "boundaries=0 3"), HasSubstr("cat_boundaries are out"));
  EXPECT_THAT(refusal("boundaries=0 2", "boundaries=2 0"), HasSubstr("cat_boundaries are out"));
  EXPECT_THAT(refusal("type=10 1", "type=14 1"), HasSubstr("node 0 has the decision_type 14"));
  EXPECT_THAT(refusal("is_linear=0", "is_linear=1"), HasSubstr("tree 0: its leaves are linear"));
}

TEST(Lightgbm, RefusesMoreNodesThanAllowed) {
  EXPECT_TRUE(read_lightgbm(plain_model, 6));
  EXPECT_THAT(read_lightgbm(plain_model, 5).error().message, HasSubstr("more than 5 nodes"));
}

}  // namespace
}  // namespace weir::model
