#include "table/table_file.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "table/test_worker.h"

namespace weir::table {
namespace {

class TableFile : public testing::Test {
 protected:
  // The rows of all batches, or the error.
  std::string rows(const std::string& path, const ReadRows& wanted = {}) {
    std::string json;
    const auto read = read_rows(worker_, path, wanted, [&](QueryResult&& batch) -> Result<void> {
      json += batch.json;
      return {};
    });
    if (!read) return std::string(to_string(read.error().code)) + ": " + read.error().message;
    return json;
  }

  const Folder folder_;
  Worker worker_{small_worker()};
};

TEST_F(TableFile, KeepsTheFieldsOfACsvAsText) {
  const std::string path = folder_.write("l.csv", "id,label,time\n007,1,2026-11-24\na b,,x\n");
  EXPECT_EQ(
      rows(path),
      R"([{"id":"007","label":"1","time":"2026-11-24"},{"id":"a b","label":null,"time":"x"}])"
  );
}

TEST_F(TableFile, KeepsTheTypesOfNdjson) {
  const std::string path = folder_.write(
      "l.ndjson",
      "{\"id\":\"2026-01-01\",\"label\":1}\n\n{\"id\":\"b\",\"label\":\"UP\",\"a/b~c\":[true]}\n"
  );
  EXPECT_EQ(
      rows(path),
      R"([{"a/b~c":null,"id":"2026-01-01","label":1},)"
      R"({"a/b~c":[true],"id":"b","label":"UP"}])"
  );
}

TEST_F(TableFile, ReadsAJsonArrayAndParquet) {
  const std::string json = folder_.write("l.json", R"([{"id": "a", "label": 1}, {"id": "b"}])");
  EXPECT_EQ(rows(json), R"([{"id":"a","label":1},{"id":"b","label":null}])");
  const std::string parquet = folder_.file("l.parquet");
  ASSERT_TRUE(worker_.execute("COPY (SELECT 'a' AS id, 0.5 AS label) TO '" + parquet + "'"));
  EXPECT_EQ(rows(parquet), R"([{"id":"a","label":0.5}])");
}

TEST_F(TableFile, ReadsOnlyTheColumnsThatAreWanted) {
  const std::string path = folder_.write("l.csv", "label,more,id\n1,2,3\n");
  const ReadRows wanted{.wanted = {"id", "label"}, .optional = {"time", "more"}};
  EXPECT_EQ(rows(path, {.wanted = {"id", "label"}}), R"([{"label":"1","id":"3"}])");
  EXPECT_EQ(rows(path, wanted), R"([{"label":"1","more":"2","id":"3"}])");
}

TEST_F(TableFile, NamesTheColumnThatIsMissingAndThoseThatAreThere) {
  const std::string path = folder_.write("labels.csv", "key,label\n1,2\n");
  EXPECT_EQ(
      rows(path, {.wanted = {"id"}}),
      "invalid_argument: '" + path + "' has no column 'id'; it has: key, label"
  );
  const std::string json = folder_.write("l.ndjson", "{\"key\":1}\n");
  EXPECT_EQ(
      rows(json, {.wanted = {"id"}}),
      "invalid_argument: '" + json + "' has no column 'id'; it has: key"
  );
}

TEST_F(TableFile, NamesTheLineOfACsvThatDoesNotFitItsHeader) {
  const ReadRows wanted{.wanted = {"id"}, .optional = {"label"}};
  const auto said = [&](const std::string& text) {
    const std::string path = folder_.write("l.csv", text);
    std::string message = rows(path, wanted);
    const std::string begin = "invalid_argument: '" + path + "' ";
    EXPECT_TRUE(message.starts_with(begin)) << message;
    return message.substr(std::min(begin.size(), message.size()));
  };
  const std::string fix = "; put a field that holds ',' in quotes";
  EXPECT_EQ(said("id,label\na,1\nb,1,5\nc,0\n"), "line 3: it has 3 fields, the header has 2" + fix);
  EXPECT_EQ(said("id,label\na,1\nb\n"), "line 3: it has 1 field, the header has 2" + fix);
  EXPECT_EQ(said("id,label\na,1,2\nb,1,2\n"), "line 2: it has 3 fields, the header has 2" + fix);
  EXPECT_EQ(
      said("\"id\",\"the, label\",x\na,1,2\nb,\"1,2\"\n"),
      "line 3: it has 2 fields, the header has 3" + fix
  );
  EXPECT_EQ(
      said("id;label\r\na;1\r\nb;1;5\r\n"),
      "line 3: it has 3 fields, the header has 2; put a field that holds ';' in quotes"
  );
  // Behind what is looked at to learn how the file is written.
  std::string many = "id,label\n";
  for (int i = 0; i < 40'000; ++i) many += "r,1\n";
  EXPECT_EQ(said(many + "b,1,7\n"), "line 40002: it has 3 fields, the header has 2" + fix);
}

TEST_F(TableFile, NamesTheObjectThatHasAKeyTwice) {
  const std::string lines =
      folder_.write("l.ndjson", "{\"id\":\"a\"}\n{\"id\":\"a\",\"id\":\"b\",\"label\":1}\n");
  EXPECT_EQ(
      rows(lines),
      "invalid_argument: '" + lines + "' object 2: the key 'id' is there twice; keep one"
  );
  const std::string array = folder_.write("l.json", R"([{"id":"a","label":1,"label":1}])");
  EXPECT_EQ(
      rows(array),
      "invalid_argument: '" + array + "' object 1: the key 'label' is there twice; keep one"
  );
}

TEST_F(TableFile, SaysWhatIsWrongWithTheFile) {
  EXPECT_TRUE(rows(folder_.file("none.csv")).starts_with("not_found: cannot read '"));
  EXPECT_TRUE(rows(folder_.write("l.xlsx", "x")).starts_with("invalid_argument: '"));
  const std::string parquet = rows(folder_.write("l.parquet", "this is no parquet file"));
  EXPECT_TRUE(parquet.starts_with("invalid_argument: ")) << parquet;
  const std::string ndjson = rows(folder_.write("l.ndjson", "{\"id\":1}\n{\"id\":\n"));
  EXPECT_TRUE(ndjson.starts_with("invalid_argument: ")) << ndjson;
}

TEST_F(TableFile, ReadsManyRowsInBatchesInTheirOrder) {
  std::string csv = "id\n";
  for (int i = 0; i < 25'000; ++i) csv += "r" + std::to_string(i) + "\n";
  const std::string path = folder_.write("l.csv", csv);
  std::vector<std::uint64_t> sizes;
  std::string last;
  const auto read = read_rows(worker_, path, {}, [&](QueryResult&& batch) -> Result<void> {
    sizes.push_back(batch.rows);
    last = batch.json.substr(batch.json.size() - 16);
    return {};
  });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->rows, 25'000U);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{10'000, 10'000, 5'000}));
  EXPECT_EQ(last, R"({"id":"r24999"}])");
}

TEST_F(TableFile, KnowsTheTypesOfColumns) {
  const std::string path = folder_.write("l.csv", "a,b,c\n1,x,0.5\n2,y,1\n");
  const auto columns = file_columns(worker_, path);
  ASSERT_TRUE(columns) << columns.error().message;
  EXPECT_EQ(
      *columns, (std::vector<ColumnInfo>{{"a", "BIGINT"}, {"b", "VARCHAR"}, {"c", "DOUBLE"}})
  );
}

TEST_F(TableFile, MakesATrainingSetWithClasses) {
  const std::string path =
      folder_.write("t.csv", "a,date,b,y\n1,x,true,UP\n2,x,false,DOWN\n,x,true,UP\n4,x,true,\n");
  const auto set = read_training_set(worker_, path, {.label = "y", .leave_out = {"date"}});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->features, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(set->classes, (std::vector<std::string>{"DOWN", "UP"}));
  EXPECT_EQ(set->labels, (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(set->unlabeled, 1U);
  ASSERT_EQ(set->values.size(), 6U);
  EXPECT_EQ(set->values[0], 1.0F);
  EXPECT_EQ(set->values[1], 1.0F);
  EXPECT_EQ(set->values[3], 0.0F);
  EXPECT_TRUE(std::isnan(set->values[4]));
}

TEST_F(TableFile, SortsClassesByTheirValue) {
  const std::string path = folder_.write("t.csv", "a,y\n1,10\n2,9\n3,100\n");
  const auto set = read_training_set(worker_, path, {.label = "y"});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->classes, (std::vector<std::string>{"9", "10", "100"}));
  EXPECT_EQ(set->labels, (std::vector<float>{1, 0, 2}));
}

TEST_F(TableFile, TakesALabelAsANumberWhenItIsOneOrIsSaidToBe) {
  const std::string half = folder_.write("t.csv", "a,y\n1,0.5\n2,1\n");
  const auto set = read_training_set(worker_, half, {.label = "y", .features = {"a"}});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_TRUE(set->classes.empty());
  EXPECT_EQ(set->labels, (std::vector<float>{0.5F, 1}));
  const std::string whole = folder_.write("u.csv", "a,y\n1,3\n2,4\n");
  const auto number =
      read_training_set(worker_, whole, {.label = "y", .kind = TrainingColumns::Label::number});
  ASSERT_TRUE(number) << number.error().message;
  EXPECT_EQ(number->labels, (std::vector<float>{3, 4}));
}

TEST_F(TableFile, RefusesATrainingSetThatCannotBeTrainedOn) {
  const std::string path = folder_.write("t.csv", "a,city,y\n1,Oslo,0\n2,Rom,1\n");
  const auto said = [&](const TrainingColumns& columns) {
    const auto set = read_training_set(worker_, path, columns);
    return set ? std::string("a set") : set.error().message;
  };
  EXPECT_EQ(said({.label = "z"}), "'" + path + "' has no column 'z'; it has: a, city, y");
  EXPECT_NE(said({.label = "y"}).find("column 'city' of '"), std::string::npos);
  EXPECT_NE(said({.label = "y"}).find("is VARCHAR"), std::string::npos);
  EXPECT_NE(said({.label = "y", .features = {"b"}}).find("no column 'b'"), std::string::npos);
  EXPECT_NE(said({.label = "y", .leave_out = {"b"}}).find("no column 'b'"), std::string::npos);
  EXPECT_NE(
      said({.label = "y", .leave_out = {"a", "city"}}).find("no column beside the label"),
      std::string::npos
  );
  EXPECT_EQ(said({.label = "y", .leave_out = {"city"}, .max_classes = 2}), "a set");
  EXPECT_NE(
      said({.label = "y", .leave_out = {"city"}, .max_classes = 1}).find("more than 1 classes"),
      std::string::npos
  );
}

}  // namespace
}  // namespace weir::table
