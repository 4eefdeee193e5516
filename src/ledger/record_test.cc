#include "ledger/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/feedback.h"
#include "ledger/moment_range.h"
#include "ledger/paths.h"
#include "ledger/sql_text.h"

namespace weir::ledger {
namespace {

using tensor::ColumnSpec;
using tensor::DataType;
using ::testing::ElementsAre;

std::vector<std::string> names_after_head(const tensor::ColumnSpecs& specs) {
  std::vector<std::string> names;
  for (std::size_t i = head_width; i < specs.size(); ++i) names.push_back(specs[i].name);
  return names;
}

TEST(Record, HasTheFixedColumnsInTheirOrderWithoutTheLabel) {
  std::vector<std::string> names;
  for (const ColumnSpec& spec : head_specs()) names.push_back(spec.name);
  EXPECT_THAT(
      names,
      ElementsAre(
          "id",
          "row",
          "time",
          "recorded_at",
          "version",
          "arm",
          "stage",
          "rollout",
          "reason",
          "propensity",
          "key_hash",
          "module",
          "status",
          "error",
          "decision",
          "score",
          "predicted",
          "latency_us",
          "queue_us",
          "run_us"
      )
  );
}

TEST(Record, PutsMetadataThenFeaturesThenOutputsBehindTheFixedColumns) {
  const std::vector<ColumnSpec> features = {
      {"price", DataType::fp32}, {"big", DataType::fp64, true}};
  const std::vector<ColumnSpec> outputs = {{"probabilities_0", DataType::fp32}};
  const std::vector<ColumnSpec> metadata = {{"country", DataType::bytes}};
  const auto specs = record_specs(features, outputs, metadata);
  EXPECT_THAT(names_after_head(*specs), ElementsAre("country", "price", "big", "probabilities_0"));
  EXPECT_TRUE((*specs)[head_width + 2].is_list);
}

TEST(Record, RenamesWhatClashesWithAColumnWhateverTheCase) {
  const std::vector<ColumnSpec> features = {
      {"Version", DataType::fp32},
      {"day", DataType::fp32},
      {"a", DataType::fp32},
      {"A", DataType::fp32},
      {"A", DataType::fp32},
      {"weir_day", DataType::fp32},
      {"", DataType::fp32}};
  const std::vector<ColumnSpec> outputs = {{"label", DataType::int64}, {"a", DataType::fp32}};
  const auto specs = record_specs(features, outputs);
  EXPECT_THAT(
      names_after_head(*specs),
      ElementsAre(
          "feature_Version",
          "feature_day",
          "a",
          "feature_A",
          "feature_A_2",
          "feature_weir_day",
          "feature_",
          "output_label",
          "output_a"
      )
  );
}

TEST(Record, AppendsNullsWhereThereIsNothing) {
  tensor::Columns columns(record_specs({}, {}));
  append_head(columns, {.id = "a", .error = "not stored while status is ok"});
  append_head(
      columns,
      {.id = "b", .key_hash = 7, .is_error = true, .error = "boom", .score = 0.25, .predicted = "1"}
  );
  EXPECT_EQ(columns.rows(), 2U);
  for (const std::size_t column : {10U, 13U, 15U, 16U}) {
    EXPECT_TRUE(columns[column].is_null(0)) << columns[column].spec().name;
    EXPECT_FALSE(columns[column].is_null(1)) << columns[column].spec().name;
  }
  EXPECT_EQ(columns[12].text(0), "ok");
  EXPECT_EQ(columns[12].text(1), "error");
  EXPECT_EQ(columns[10].values<std::uint64_t>()[1], 7U);
}

TEST(Record, KeepsEveryTimeWithinTheYearsThatParquetReadersShow) {
  tensor::Columns columns(record_specs({}, {}));
  append_head(columns, {.time = INT64_MAX, .recorded_at = INT64_MIN});
  EXPECT_EQ(to_rfc3339(columns[2].values<std::int64_t>()[0]), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(columns[3].values<std::int64_t>()[0], first_moment);
}

TEST(Record, WritesOneClassInOneWay) {
  EXPECT_EQ(canonical_label("1.0"), "1");
  EXPECT_EQ(canonical_label("-12.000"), "-12");
  EXPECT_EQ(canonical_label("-0.0"), "0");
  for (const char* same : {"1", "1.5", "01.0", "1.", ".0", "a.0", "", "-", "1.0.0", "up"}) {
    EXPECT_EQ(canonical_label(same), same);
  }
  EXPECT_EQ(to_label(3.0), "3");
  EXPECT_EQ(to_label(0.1), "0.1");
  EXPECT_EQ(to_label(std::int64_t{-4}), "-4");
}

TEST(Feedback, StoresExactlyOneOfLabelEventAndTag) {
  tensor::Columns columns(feedback_specs());
  append_feedback_row(columns, {.id = "a", .kind = Feedback::Kind::label, .text = "1.0"});
  append_feedback_row(
      columns, {.id = "b", .kind = Feedback::Kind::event, .text = "click", .value = 2.5}
  );
  append_feedback_row(columns, {.id = "c", .kind = Feedback::Kind::tag, .text = "blurred"});
  EXPECT_EQ(columns[4].text(0), "1");
  EXPECT_EQ(columns[5].text(1), "click");
  EXPECT_EQ(columns[6].values<double>()[1], 2.5);
  EXPECT_EQ(columns[7].text(2), "blurred");
  for (std::size_t row = 0; row < 3; ++row) {
    int values = 0;
    for (const std::size_t column : {4U, 5U, 7U}) values += columns[column].is_null(row) ? 0 : 1;
    EXPECT_EQ(values, 1);
  }
}

TEST(Paths, EncodesEveryNameAsOneFolderAndBack) {
  for (const std::string name :
       {"fraud", "a/b", "..", ".x", "ünï", "segments", "Writers", "FORMAT", "a b%", "x.y"}) {
    const auto folder = encode_endpoint(name);
    ASSERT_TRUE(folder);
    EXPECT_EQ(folder->find('/'), std::string::npos);
    EXPECT_EQ(decode_endpoint(*folder), name);
  }
  EXPECT_EQ(*encode_endpoint("segments"), "%73egments");
  EXPECT_EQ(*encode_endpoint(".."), "%2E.");
  EXPECT_EQ(decode_endpoint("segments"), std::nullopt);
  EXPECT_EQ(decode_endpoint("%zz"), std::nullopt);
  EXPECT_EQ(decode_endpoint("a%2"), std::nullopt);
}

TEST(Paths, RefusesANameThatIsEmptyOrTooLongForAFolder) {
  EXPECT_FALSE(encode_endpoint(""));
  EXPECT_TRUE(encode_endpoint(std::string(max_encoded_endpoint_bytes, 'a')));
  EXPECT_FALSE(encode_endpoint(std::string(max_encoded_endpoint_bytes + 1, 'a')));
}

TEST(Paths, ReadsBackTheNameOfAFile) {
  const FileStem stem{"w12", 42};
  EXPECT_EQ(to_string(stem), "w12-00000042");
  EXPECT_EQ(parse_stem("w12-00000042"), stem);
  EXPECT_EQ(parse_stem("w1-123456789")->sequence, 123456789U);
  for (const char* wrong : {"", "w1", "-00000001", "w1-1", "w1-0000000x", "w1-"}) {
    EXPECT_EQ(parse_stem(wrong), std::nullopt) << wrong;
  }
}

TEST(SqlText, SeesWhetherAQueryCanLookAtTheLabel) {
  for (const char* yes :
       {"select * from e",
        "select LABEL from e",
        "select \"label\" from e",
        "from e",
        "select r.* from e r",
        "describe e",
        "select columns('l.*') from e",
        "table e",
        "select a * b from e",
        "pivot e on arm",
        "select count(*), * from e",
        "select $$x$$ from e",
        "select 'a\\' , * from e"}) {
    EXPECT_TRUE(can_see_column(yes, "label")) << yes;
  }
  for (const char* no :
       {"select version, arm, count(*), avg(score) from e group by all",
        "select count( * ) from e",
        "select id from e -- *",
        "select id /* all * */ from e",
        "select sum(x) from e where y > 2"}) {
    EXPECT_FALSE(can_see_column(no, "label")) << no;
  }
}

TEST(SqlText, FindsTheNamesInAQuery) {
  EXPECT_TRUE(mentions("select 1 from Fraud", "fraud"));
  EXPECT_TRUE(mentions("select 1 from \"fraud\"", "fraud"));
  EXPECT_TRUE(mentions("from query_table('fraud')", "fraud"));
  EXPECT_TRUE(mentions("select 1 from \"a \"\"b\"", "a \"b"));
  EXPECT_TRUE(mentions("select 1 from my$model", "my$model"));
  EXPECT_FALSE(mentions("select 1 from fraud_pairs", "fraud"));
  EXPECT_FALSE(mentions("select 1 -- fraud", "fraud"));
}

TEST(SqlText, QuotesWhatANameMayHold) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_text("a'b"), "'a''b'");
  const std::vector<std::string> texts = {"a", "b'"};
  EXPECT_EQ(quote_list(texts), "['a', 'b''']");
}

}  // namespace
}  // namespace weir::ledger
