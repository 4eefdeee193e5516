#include "ledger/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/reader.h"
#include "ledger/test_sql.h"

// The test program is the worker of its own tests.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "worker") {
    return weir::table::run_worker(weir::table::worker_socket, weir::ledger::open_segments);
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}

namespace weir::ledger {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Moment day = 20'000 * us_per_day;

// A ledger whose first half is Parquet and whose second half is in segments.
class Views : public ::testing::Test {
 protected:
  void SetUp() override {
    ledger_ = open_with_worker(folder_);
    ASSERT_TRUE(ledger_->write(
        "e",
        small_batch(
            {{.id = "a", .time = day, .predicted = "1"},
             {.id = "b", .time = day + 1, .predicted = "0"},
             {.id = "b", .time = day + 1, .version = 2, .arm = "shadow", .predicted = "1"}}
        )
    ));
    const std::vector<Feedback> first = {
        {.id = "a", .text = "0", .time = day + 10}, {.id = "nobody", .text = "1", .time = day}};
    ASSERT_TRUE(ledger_->append_feedback("e", first));
    const auto compacted = ledger_->compact();
    ASSERT_TRUE(compacted) << compacted.error().message;
    ASSERT_TRUE(ledger_->write("e", small_batch({{.id = "c", .time = day + 2}})));
  }

  std::string ask(const std::string& query) { return ledger::ask(*ledger_, query); }

  void label(const std::string& id, const std::string& text, Moment time) {
    const std::vector<Feedback> feedback = {{.id = id, .text = text, .time = time}};
    ASSERT_TRUE(ledger_->append_feedback("e", feedback));
  }

  TemporaryFolder folder_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(Views, ShowParquetAndSegmentsAsOneTable) {
  EXPECT_EQ(
      ask("SELECT id, version FROM e ORDER BY id, version"),
      R"([{"id":"a","version":1},{"id":"b","version":1},{"id":"b","version":2},)"
      R"({"id":"c","version":1}])"
  );
}

TEST_F(Views, ShowTheColumnsInTheirFixedOrder) {
  const std::string columns = ask("SELECT string_agg(column_name, ' ') AS c FROM (DESCRIBE e)");
  EXPECT_EQ(
      columns,
      R"([{"c":"id row time recorded_at version arm stage rollout reason propensity key_hash )"
      R"(module status error decision score predicted label latency_us queue_us run_us )"
      R"(price name p"}])"
  );
}

TEST_F(Views, ShowTimesAsTimestamps) {
  EXPECT_EQ(
      ask("SELECT typeof(time) AS t, strftime(recorded_at, '%Y-%m-%d') AS d FROM e LIMIT 1"),
      R"([{"t":"TIMESTAMP","d":"2024-10-04"}])"
  );
}

TEST_F(Views, JoinTheLabelWithTheLatestTimeWhateverItsArrival) {
  EXPECT_EQ(ask("SELECT label FROM e WHERE id = 'a'"), R"([{"label":"0"}])");
  label("a", "1", day + 20);
  label("a", "2", day + 15);
  EXPECT_EQ(ask("SELECT label FROM e WHERE id = 'a'"), R"([{"label":"1"}])");
}

TEST_F(Views, GiveTheLabelToEveryArmOfTheRequest) {
  label("b", "1", day + 20);
  EXPECT_EQ(
      ask("SELECT arm, label FROM e WHERE id = 'b' ORDER BY arm"),
      R"([{"arm":"primary","label":"1"},{"arm":"shadow","label":"1"}])"
  );
}

TEST_F(Views, GiveTheLabelOfARepeatedIdToItsNewestRequest) {
  ASSERT_TRUE(ledger_->write(
      "e", small_batch({{.id = "a", .time = day, .version = 3, .recorded_at = day + 99}})
  ));
  EXPECT_EQ(
      ask("SELECT version, label FROM e WHERE id = 'a' ORDER BY version"),
      R"([{"version":1,"label":null},{"version":3,"label":"0"}])"
  );
}

TEST_F(Views, LeaveTheJoinOutWhenTheQueryCannotSeeTheLabel) {
  const Snapshot snapshot = ledger_->snapshot();
  const std::vector<std::string> endpoints = {"e"};
  const SqlViews lean =
      make_views(snapshot, endpoints, "SELECT version, count(*), avg(score) FROM e GROUP BY ALL");
  EXPECT_THAT(lean.setup, Not(HasSubstr("arg_max")));
  EXPECT_THAT(make_views(snapshot, endpoints, "FROM e").setup, HasSubstr("arg_max"));
  EXPECT_EQ(
      ask("SELECT version, count(*) AS n FROM e GROUP BY ALL ORDER BY ALL"),
      R"([{"version":1,"n":3},{"version":2,"n":1}])"
  );
}

TEST_F(Views, ShowFeedbackThatMatchesNothingToo) {
  EXPECT_EQ(
      ask("SELECT id, label FROM e_feedback ORDER BY id"),
      R"([{"id":"a","label":"0"},{"id":"nobody","label":"1"}])"
  );
}

TEST_F(Views, PairAShadowWithTheAnswerToTheSameRequest) {
  EXPECT_EQ(
      ask("SELECT * EXCLUDE (time) FROM e_pairs"),
      R"([{"id":"b","row":0,"primary_version":1,"primary_arm":"primary","other_version":2,)"
      R"("primary_predicted":"0","other_predicted":"1","primary_score":0.5,"other_score":0.5,)"
      R"("primary_latency_us":10,"other_latency_us":10,"primary_status":"ok",)"
      R"("other_status":"ok"}])"
  );
}

TEST_F(Views, ExistForAnEndpointWithoutRecords) {
  const std::vector<std::string> endpoints = {"quiet"};
  const std::string query = "SELECT count(*) AS n, count(label) AS l FROM quiet";
  const Snapshot snapshot = ledger_->snapshot();
  SqlViews views = make_views(snapshot, endpoints, query);
  const auto result = test_worker().query(
      {.setup = views.setup, .sql = query, .readable = std::move(views.readable)}
  );
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->json, R"([{"n":0,"l":0}])");
}

TEST_F(Views, AreAllThereForAQueryThatNamesNone) {
  EXPECT_EQ(
      ask("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_name"),
      R"([{"view_name":"e"},{"view_name":"e_feedback"},{"view_name":"e_pairs"}])"
  );
}

TEST_F(Views, AreMadeOnlyForTheEndpointsInTheQuery) {
  ASSERT_TRUE(ledger_->write("other", numbered_batch("x", 1)));
  const std::vector<std::string> endpoints = {"e", "other"};
  const SqlViews views = make_views(ledger_->snapshot(), endpoints, "SELECT 1 FROM other");
  EXPECT_THAT(views.setup, HasSubstr("CREATE VIEW \"other\""));
  EXPECT_THAT(views.setup, Not(HasSubstr("CREATE VIEW \"e\"")));
}

TEST_F(Views, LetAnEndpointBeCalledLikeTheViewOfAnother) {
  ASSERT_TRUE(ledger_->write("e_pairs", numbered_batch("x", 1)));
  const std::vector<std::string> endpoints = {"e", "e_pairs"};
  const std::string query = "SELECT id FROM e_pairs";
  SqlViews views = make_views(ledger_->snapshot(), endpoints, query);
  const auto result = test_worker().query(
      {.setup = views.setup, .sql = query, .readable = std::move(views.readable)}
  );
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->json, R"([{"id":"x0"}])");
}

TEST_F(Views, MayNotBeUsedToReadAnyOtherFile) {
  const std::string answer = ask("SELECT count(*) FROM e, read_text('/etc/hostname')");
  EXPECT_THAT(answer, HasSubstr("Permission Error"));
}

TEST_F(Views, FollowAFeatureThatChangedItsTypeAndOneThatCame) {
  const std::vector<tensor::ColumnSpec> features = {
      {"price", tensor::DataType::fp64}, {"load", tensor::DataType::int32}};
  tensor::Columns columns(record_specs(features, {}));
  append_head(columns, {.id = "z", .time = day, .recorded_at = day});
  columns[head_width].add(2.25);
  columns[head_width + 1].add(std::int32_t{7});
  ASSERT_TRUE(ledger_->write("e", columns));
  const std::string expected =
      R"([{"id":"a","price":1.5,"load":null},{"id":"z","price":2.25,"load":7}])";
  const std::string query = "SELECT id, price, load FROM e WHERE id IN ('a', 'z') ORDER BY id";
  EXPECT_EQ(ask(query), expected);
  ASSERT_TRUE(ledger_->compact());
  EXPECT_EQ(ask(query), expected);
}

}  // namespace
}  // namespace weir::ledger
