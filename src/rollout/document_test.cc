#include "rollout/document.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::rollout {
namespace {

using ::testing::HasSubstr;

std::string yaml_error(std::string_view text, const DocumentLimits& limits = {}) {
  const auto node = read_yaml(text, "f.yaml", limits);
  return node ? "no error" : node.error().message;
}
std::string json_error(std::string_view text, const DocumentLimits& limits = {}) {
  const auto node = read_json(text, limits);
  return node ? "no error" : node.error().message;
}

TEST(Document, KeepsScalarsAsTheTextThatStoodThere) {
  const auto node = read_yaml("a: no\nb: \"no\"\nc: 1.50\nd:\ne: ~\n", "f.yaml");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->find("a")->text, "no");
  EXPECT_FALSE(node->find("a")->quoted);
  EXPECT_TRUE(node->find("b")->quoted);
  EXPECT_EQ(node->find("c")->text, "1.50");
  EXPECT_TRUE(node->find("d")->is_null());
  EXPECT_TRUE(node->find("e")->is_null());
  EXPECT_EQ(node->find("c")->where, "f.yaml line 3");
  EXPECT_EQ(node->find("x"), nullptr);
}

TEST(Document, ReadsTheSameTreeFromJsonWithPathsAsPlaces) {
  const auto node = read_json(R"({"a":[1.50,{"b":"x\u00e4\n"}],"c":null,"d":true})");
  ASSERT_TRUE(node) << node.error().message;
  const Node& list = *node->find("a");
  EXPECT_EQ(list.where, "a");
  EXPECT_EQ(list.items[0].text, "1.50");
  EXPECT_EQ(list.items[0].where, "a[0]");
  EXPECT_EQ(list.items[1].find("b")->text, "x\xC3\xA4\n");
  EXPECT_TRUE(list.items[1].find("b")->quoted);
  EXPECT_EQ(list.items[1].find("b")->where, "a[1].b");
  EXPECT_TRUE(node->find("c")->is_null());
  EXPECT_EQ(node->find("d")->text, "true");
}

TEST(Document, ReadsAnEmptyYamlAsNothing) {
  const auto node = read_yaml("# only a comment\n", "f.yaml");
  ASSERT_TRUE(node);
  EXPECT_TRUE(node->is_null());
}

TEST(Document, RefusesWhatWouldBeReadInTwoWays) {
  EXPECT_EQ(yaml_error("a: 1\nb: 2\na: 3\n"), "f.yaml line 3: 'a' stands here twice");
  EXPECT_EQ(json_error(R"({"x":[{"a":1,"a":2}]})"), "x[0].a: 'a' stands here twice");
  EXPECT_THAT(yaml_error("a: &x 1\n"), HasSubstr("line 1: anchors"));
  EXPECT_THAT(yaml_error("a: 1\nb: *x\n"), HasSubstr("f.yaml line 2"));
  EXPECT_THAT(yaml_error("a: !!str 1\n"), HasSubstr("tag"));
  EXPECT_THAT(yaml_error("? [1]\n: 2\n"), HasSubstr("plain word"));
  EXPECT_THAT(yaml_error(": 2\n"), HasSubstr("key is missing"));
  EXPECT_THAT(yaml_error("a: 1\n---\nb: 2\n"), HasSubstr("one document"));
}

TEST(Document, SaysWhereATextIsBroken) {
  EXPECT_THAT(yaml_error("a: 1\nb: [1, 2\nc: 3\n"), HasSubstr("f.yaml line 3"));
  EXPECT_THAT(json_error("{\"a\":1,}"), HasSubstr("not JSON"));
  EXPECT_THAT(json_error("{} x"), HasSubstr("near byte"));
  EXPECT_THAT(json_error(""), HasSubstr("not JSON"));
  EXPECT_THAT(json_error("\"\xFF\""), HasSubstr("not JSON"));
}

TEST(Document, ReadsUpToItsLimitsAndNoFurther) {
  const DocumentLimits limits{.max_bytes = 40, .max_nodes = 4, .max_depth = 2};
  EXPECT_EQ(json_error("[1,2,3]", limits), "no error");
  EXPECT_THAT(json_error("[1,2,3,4]", limits), HasSubstr("more than 4 values"));
  EXPECT_EQ(yaml_error("[1,2,3]", limits), "no error");
  EXPECT_THAT(yaml_error("[1,2,3,4]", limits), HasSubstr("more than 4 values"));
  EXPECT_EQ(json_error("[[1]]", limits), "no error");
  EXPECT_THAT(json_error("[[[1]]]", limits), HasSubstr("deeper than 2 levels"));
  EXPECT_THAT(json_error("[[[[1]]]]", limits), HasSubstr("deeper than 2 levels"));
  EXPECT_THAT(yaml_error("[[[1]]]", limits), HasSubstr("deeper than 2 levels"));
  EXPECT_EQ(json_error("\"" + std::string(38, 'x') + "\"", limits), "no error");
  EXPECT_THAT(json_error("\"" + std::string(39, 'x') + "\"", limits), HasSubstr("at most 40"));
  EXPECT_EQ(yaml_error(std::string(40, 'x'), limits), "no error");
  EXPECT_THAT(yaml_error(std::string(41, 'x'), limits), HasSubstr("at most 40"));
}

TEST(Document, SurvivesDeepNesting) {
  EXPECT_THAT(json_error(std::string(100'000, '[')), HasSubstr("deeper than 32"));
  EXPECT_NE(yaml_error(std::string(100'000, '[')), "no error");
  EXPECT_NE(yaml_error(std::string(100'000, '{')), "no error");
}

TEST(Document, NamesAnUnknownKeyItsPlaceAndTheKnownOnes) {
  const auto node = read_yaml("a: 1\nbee: 2\n", "f.yaml");
  const auto refused = refuse_unknown_keys(*node, "a thing", {"a", "b"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "f.yaml line 2: a thing has no key 'bee'; it has a, b");
  EXPECT_TRUE(refuse_unknown_keys(*node, "a thing", {"a", "bee"}));
}

TEST(Document, QuotesAnyBytesAsJsonThatReadsBack) {
  for (const std::string& text :
       {std::string("plain"),
        std::string("\"\\/\b\f\n\r\t\x01\x1F"),
        std::string("\0", 1),
        std::string("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x8C\x8A")}) {
    const auto node = read_json(json_quote(text));
    ASSERT_TRUE(node) << node.error().message;
    EXPECT_EQ(node->text, text);
  }
  EXPECT_EQ(json_quote("a\xFF"), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(json_quote("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_TRUE(read_json(json_quote("\xED\xA0\x80\xF4\x90\x80\x80\xC0\x80\xE0\x80\x80")));
}

}  // namespace
}  // namespace weir::rollout
