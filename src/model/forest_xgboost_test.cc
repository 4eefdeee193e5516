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

// Two stumps over three features, one of which looks at categories.
const std::string plain_model = R"({"version": [2, 1, 0], "learner": {
  "attributes": {},
  "feature_names": [],
  "feature_types": [],
  "gradient_booster": {
    "model": {
      "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "2"},
      "iteration_indptr": [0, 1, 2],
      "tree_info": [0, 0],
      "trees": [
        {"left_children": [1, -1, -1], "right_children": [2, -1, -1],
         "split_indices": [0, 0, 0], "split_conditions": [0.5, 1, 2], "default_left": [1, 0, 0],
         "split_type": [0, 0, 0], "categories": [], "categories_nodes": [],
         "categories_segments": [], "categories_sizes": [], "loss_changes": [NaN, 0, 0],
         "tree_param": {"num_nodes": "3", "size_leaf_vector": "1"}},
        {"left_children": [1, -1, -1], "right_children": [2, -1, -1],
         "split_indices": [2, 0, 0], "split_conditions": [0, 10, 20], "default_left": [0, 0, 0],
         "split_type": [1, 0, 0], "categories": [3, 4], "categories_nodes": [0],
         "categories_segments": [0], "categories_sizes": [2],
         "tree_param": {"num_nodes": "3", "size_leaf_vector": "1"}}]},
    "name": "gbtree"},
  "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "3",
                          "num_target": "1"},
  "objective": {"name": "reg:squarederror"}}})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<double> sums_of(const ForestModel& model, const std::vector<float>& row) {
  std::vector<std::int32_t> keys(model.forest.keys_per_row());
  std::vector<double> sums(model.forest.group_count());
  model.forest.evaluate(row, 1, keys, sums);
  return sums;
}

std::vector<double> answer(const std::string& model_text, const std::vector<float>& row) {
  const Result<ForestModel> model = read_xgboost_json(model_text, max_nodes);
  EXPECT_TRUE(model) << model.error().message;
  return model ? sums_of(*model, row) : std::vector<double>();
}

std::string refusal(const std::string& model_text) {
  const Result<ForestModel> model = read_xgboost_json(model_text, max_nodes);
  EXPECT_FALSE(model) << "it should be refused";
  return model ? "" : model.error().message;
}

TEST(Xgboost, AddsTreesToTheBaseScore) {
  EXPECT_THAT(answer(plain_model, {0, 0, 3}), ElementsAre(0.5 + 1 + 20));
  EXPECT_THAT(answer(plain_model, {0.5, 0, 5}), ElementsAre(0.5 + 2 + 10));
  EXPECT_THAT(answer(plain_model, {NAN, 0, NAN}), ElementsAre(0.5 + 1 + 20));
}

TEST(Xgboost, ReadsTheVectorThatNewVersionsWriteAsBaseScore) {
  EXPECT_THAT(answer(replaced(plain_model, "5E-1", "[2.5E-1]"), {0, 0, 3}), ElementsAre(21.25));
  const std::string classes = replaced(
      replaced(plain_model, "reg:squarederror", "multi:softprob"),
      R"("num_class": "0")",
      R"("num_class": "2")"
  );
  EXPECT_THAT(answer(replaced(classes, "5E-1", "[1E0,2E0]"), {0, 0, 3}), ElementsAre(22, 2));
  EXPECT_THAT(refusal(replaced(classes, "5E-1", "[1E0,2E0,3E0]")), HasSubstr("one number or 2"));
}

TEST(Xgboost, TurnsTheBaseScoreIntoTheSpaceOfSums) {
  const std::string logistic = replaced(plain_model, "reg:squarederror", "binary:logistic");
  EXPECT_NEAR(
      answer(replaced(logistic, "5E-1", "2E-1"), {0, 0, 3})[0], 21 + std::log(0.2 / 0.8), 1e-5
  );
  const std::string poisson = replaced(plain_model, "reg:squarederror", "count:poisson");
  EXPECT_NEAR(answer(replaced(poisson, "5E-1", "7E0"), {0, 0, 3})[0], 21 + std::log(7.0), 1e-5);
  EXPECT_THAT(
      refusal(replaced(logistic, "5E-1", "1E0")), HasSubstr("base_score is 1; it must be between")
  );
  EXPECT_THAT(
      refusal(replaced(poisson, "5E-1", "0E0")), HasSubstr("base_score is 0; it must be above 0")
  );
}

TEST(Xgboost, ReadsWhatVersion1Point0Wrote) {
  std::string old = replaced(
      plain_model, R"("default_left": [1, 0, 0])", R"("default_left": [true, false, false])"
  );
  old = replaced(old, R"("split_type": [0, 0, 0], "categories": [], "categories_nodes": [],)", "");
  old = replaced(old, R"("categories_segments": [], "categories_sizes": [],)", "");
  old = replaced(old, R"("iteration_indptr": [0, 1, 2],)", "");
  EXPECT_THAT(answer(old, {NAN, 0, 3}), ElementsAre(21.5));
}

TEST(Xgboost, ReadsThresholdsThatJsonHasNoNumberFor) {
  const std::string model = replaced(plain_model, "[0.5, 1, 2]", "[-Infinity, 1, 2]");
  EXPECT_THAT(answer(model, {-3e38F, 0, 3}), ElementsAre(0.5 + 2 + 20));
  EXPECT_THAT(answer(model, {NAN, 0, 3}), ElementsAre(0.5 + 1 + 20));
  EXPECT_THAT(
      refusal(replaced(plain_model, "[0.5, 1, 2]", "[NaN, 1, 2]")),
      HasSubstr("tree 0: node 0 has NaN as its threshold")
  );
}

TEST(Xgboost, StopsAtTheBestIterationOnlyForModelsOfScikitLearnClasses) {
  const std::string booster =
      replaced(plain_model, R"("attributes": {})", R"("attributes": {"best_iteration": "0"})");
  EXPECT_THAT(answer(booster, {0, 0, 3}), ElementsAre(21.5));
  const std::string estimator =
      replaced(booster, R"({"best_iteration")", R"({"scikit_learn": "{}", "best_iteration")");
  EXPECT_THAT(answer(estimator, {0, 0, 3}), ElementsAre(1.5));
  const std::string old = replaced(estimator, R"("iteration_indptr": [0, 1, 2],)", "");
  EXPECT_THAT(answer(old, {0, 0, 3}), ElementsAre(1.5));
  const std::string parallel =
      replaced(old, R"("num_parallel_tree": "1")", R"("num_parallel_tree": "2")");
  EXPECT_THAT(answer(parallel, {0, 0, 3}), ElementsAre(21.5));
  EXPECT_THAT(
      refusal(replaced(estimator, R"(tion": "0")", R"(tion": "x")")),
      HasSubstr("best_iteration is 'x'")
  );
  EXPECT_THAT(
      answer(replaced(estimator, R"(tion": "0")", R"(tion": "9223372036854775807")"), {0, 0, 3}),
      ElementsAre(21.5)
  );
}

TEST(Xgboost, TakesFeatureNamesWhenThereIsOneForEachFeature) {
  const auto names = [](const std::string& list) {
    return read_xgboost_json(
               replaced(plain_model, R"("feature_names": [])", R"("feature_names": )" + list),
               max_nodes
    )
        ->feature_names;
  };
  EXPECT_THAT(names(R"(["a", "b\"", "c"])"), ElementsAre("a", "b\"", "c"));
  EXPECT_THAT(names(R"(["a", "b"])"), ElementsAre());
}

TEST(Xgboost, RefusesHeadersThatCannotBe) {
  const auto with = [](const std::string& from, const std::string& to) {
    return refusal(replaced(plain_model, from, to));
  };
  EXPECT_THAT(with("reg:squarederror", "reg:mine"), HasSubstr("'reg:mine' is not one that Weir"));
  EXPECT_THAT(with(R"("gbtree"})", R"("gblinear"})"), HasSubstr("'gblinear', which has no trees"));
  EXPECT_THAT(
      with(R"("num_feature": "3")", R"("num_feature": "0")"), HasSubstr("num_feature is 0")
  );
  EXPECT_THAT(
      with(R"("num_feature": "3")", R"("num_feature": "-1")"), HasSubstr("num_feature is -1")
  );
  EXPECT_THAT(
      with(R"("num_feature": "3")", R"("num_feature": "99999999999")"),
      HasSubstr("num_feature is 99999999999; it must be 0 to 16777216")
  );
  EXPECT_THAT(with(R"("num_class": "0")", R"("num_class": "2000000000")"), HasSubstr("0 to 65536"));
  EXPECT_THAT(with(R"("num_class": "0")", R"("num_class": "x")"), HasSubstr("num_class is 'x'"));
  EXPECT_THAT(with("reg:squarederror", "multi:softprob"), HasSubstr("for several classes"));
  EXPECT_THAT(with("5E-1", "half"), HasSubstr("base_score is 'half'"));
  EXPECT_THAT(with("5E-1", ""), HasSubstr("no base_score"));
  EXPECT_THAT(with("[0, 0],\n", "[0, 1],\n"), HasSubstr("tree_info has 1, of 1 groups"));
  EXPECT_THAT(with("[0, 0],\n", "[0, -1],\n"), HasSubstr("tree_info has -1"));
  EXPECT_THAT(with("[0, 0],\n", "[0],\n"), HasSubstr("2 trees, but its tree_info is for 1"));
  EXPECT_THAT(with("[0, 0],\n", "[0, 0, 0],\n"), HasSubstr("2 trees, but its tree_info is for 3"));
}

TEST(Xgboost, RefusesTreesThatCannotBeAndNamesThem) {
  const auto with = [](const std::string& from, const std::string& to) {
    return refusal(replaced(plain_model, from, to));
  };
  EXPECT_THAT(with("[1, -1, -1]", "[1, -1]"), HasSubstr("tree 0: its arrays differ in length"));
  EXPECT_THAT(with("[1, -1, -1]", "[3, -1, -1]"), HasSubstr("tree 0: node 0 has the child 3"));
  EXPECT_THAT(with("[1, -1, -1]", "[-2, -1, -1]"), HasSubstr("tree 0: node 0 has the child"));
  EXPECT_THAT(with("[1, -1, -1]", "[0, -1, -1]"), HasSubstr("tree 0: node 0 is reached twice"));
  EXPECT_THAT(with("[2, -1, -1]", "[1, -1, -1]"), HasSubstr("tree 0: node 1 is reached twice"));
  EXPECT_THAT(with("[2, 0, 0]", "[3, 0, 0]"), HasSubstr("tree 1: node 0 looks at feature 3"));
  EXPECT_THAT(with("[2, 0, 0]", "[-1, 0, 0]"), HasSubstr("tree 1: node 0 looks at feature"));
  EXPECT_THAT(with("[0.5, 1, 2]", "[0.5, [], 2]"), HasSubstr("not a number that fits"));
  EXPECT_THAT(with("[1, -1, -1]", "[99999999999, -1, -1]"), HasSubstr("'99999999999' is not"));
  EXPECT_THAT(
      with("[1, 0, 0], \"categories\": [3", "[0, 0, 0], \"categories\": [3"), HasSubstr("not both")
  );
  EXPECT_THAT(with("_nodes\": [0]", "_nodes\": [3]"), HasSubstr("tree 1: its categorical split 0"));
  EXPECT_THAT(with("_nodes\": [0]", "_nodes\": []"), HasSubstr("differ in length"));
  EXPECT_THAT(with("_sizes\": [2]", "_sizes\": [3]"), HasSubstr("its categorical split 0 is out"));
  EXPECT_THAT(with("_sizes\": [2]", "_sizes\": [-1]"), HasSubstr("its categorical split 0 is out"));
  EXPECT_THAT(with("[3, 4]", "[3, 16777216]"), HasSubstr("category 16777216 is out of range"));
  EXPECT_THAT(with(R"(vector": "1")", R"(vector": "3")"), HasSubstr("its leaves are vectors of 3"));
}

TEST(Xgboost, RefusesMoreNodesThanAllowed) {
  EXPECT_TRUE(read_xgboost_json(plain_model, 6));
  EXPECT_THAT(
      read_xgboost_json(plain_model, 5).error().message,
      HasSubstr("tree 1: the model has more than 5")
  );
}

TEST(Xgboost, WeighsTheTreesOfDart) {
  std::string dart =
      replaced(plain_model, R"("gradient_booster": {)", R"("gradient_booster": {"gbtree": {)");
  dart = replaced(
      dart, R"("name": "gbtree"})", R"("name": "gbtree"}, "name": "dart", "weight_drop": [0.5, 2]})"
  );
  EXPECT_THAT(answer(dart, {0, 0, 3}), ElementsAre(0.5 + 0.5 + 40));
  EXPECT_THAT(refusal(replaced(dart, "[0.5, 2]", "[0.5]")), HasSubstr("1 weights for 2 trees"));
  EXPECT_THAT(
      refusal(
          replaced(plain_model, R"("name": "gbtree"})", R"("name": "dart", "weight_drop": [1, 1]})")
      ),
      HasSubstr("its trees are not where its booster has them")
  );
}

TEST(Xgboost, RefusesJsonThatIsNotAModel) {
  EXPECT_THAT(refusal("{"), HasSubstr("its JSON is damaged or cut off"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no learner with trees"));
  EXPECT_THAT(refusal(R"({"learner": []})"), HasSubstr("an object is expected"));
  EXPECT_FALSE(
      refusal(R"({"learner": )" + std::string(5'000, '[') + std::string(5'000, ']') + "}").empty()
  );
}

}  // namespace
}  // namespace weir::model
