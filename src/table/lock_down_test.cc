#include <gtest/gtest.h>

#include "table/test_worker.h"

// What a person's statement may do in the worker, and what it may not.

namespace weir::table {
namespace {

class LockDown : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = worker_.execute(
        "COPY (SELECT range AS a, (range % 2)::VARCHAR AS g FROM range(4)) TO '" + data_ +
        "' (FORMAT parquet)"
    );
    ASSERT_TRUE(made) << made.error().message;
  }

  Query query(const std::string& sql) const {
    return {
        .setup = "CREATE VIEW t AS FROM read_parquet('" + folder_.path() + "/*.parquet')",
        .sql = sql,
        .readable = {folder_.path()}};
  }
  std::string ask(const std::string& sql) { return answer(worker_, query(sql)); }

  // Refused for what the statement is or reaches for, not for being wrong SQL.
  void expect_refused(const std::string& sql, const std::string& because) {
    const std::string said = ask(sql);
    EXPECT_TRUE(said.starts_with("invalid_argument: ")) << sql << " -> " << said;
    EXPECT_NE(said.find(because), std::string::npos) << sql << " -> " << said;
    EXPECT_EQ(said.find("syntax error"), std::string::npos) << sql << " -> " << said;
  }

  const Folder folder_;
  const Folder other_;
  const std::string data_ = folder_.file("data.parquet");
  Worker worker_{small_worker()};
};

constexpr const char* only_reading = "a statement may only read";
constexpr const char* no_file = "file system operations are disabled";

TEST_F(LockDown, LetsEveryKindOfReadingThrough) {
  for (const std::string sql :
       {"SELECT * FROM t",
        "WITH x AS (SELECT 1 AS b) SELECT * FROM x",
        "FROM t",
        "VALUES (1)",
        "DESCRIBE t",
        "DESCRIBE SELECT * FROM t",
        "SUMMARIZE t",
        "SHOW TABLES",
        "EXPLAIN FROM t",
        "EXPLAIN ANALYZE SELECT count(*) FROM t",
        "explain (format json) select 1",
        "-- why\nEXPLAIN /* this */ SELECT 1",
        "PIVOT t ON g USING sum(a)",
        "TABLE t",
        "PIVOT t ON g IN ('0', '1') USING sum(a)",
        "UNPIVOT t ON a INTO NAME n VALUE v",
        "SELECT 1;",
        "  SELECT 1 ; ; ",
        "SELECT ';' AS a -- ;"}) {
    EXPECT_TRUE(ask(sql).starts_with("[{")) << sql << " -> " << ask(sql);
  }
}

TEST_F(LockDown, KeepsViewsOverFilesWorking) {
  EXPECT_EQ(ask("SELECT sum(a)::BIGINT AS s FROM t"), R"([{"s":6}])");
  EXPECT_EQ(ask("PIVOT (SELECT g FROM t) ON g USING count(*)"), R"([{"0":2,"1":2}])");
  EXPECT_EQ(ask("SELECT count(*) AS n FROM '" + folder_.path() + "/*.parquet'"), R"([{"n":4}])");
}

TEST_F(LockDown, TakesPathsThroughLinksAndRelativeOnesAsTheyAreWritten) {
  const std::string link = other_.file("data");
  std::filesystem::create_directory_symlink(folder_.path(), link);
  for (const std::string& path :
       {link, link + "/", std::filesystem::relative(folder_.path()).string()}) {
    EXPECT_EQ(
        answer(
            worker_,
            {.setup = "CREATE VIEW t AS FROM read_parquet('" + path + "/*.parquet')",
             .sql = "SELECT count(*) AS n FROM t",
             .readable = {path}}
        ),
        R"([{"n":4}])"
    ) << path;
  }
}

TEST_F(LockDown, RefusesToReadOtherFiles) {
  const std::string secret = other_.write("secret.csv", "a\n1\n");
  std::filesystem::create_directory_symlink(other_.path(), other_.file("itself"));
  for (const std::string& path :
       {std::string("/etc/passwd"),
        secret,
        folder_.path() + "/../../etc/passwd",
        folder_.path() + "/../" + std::filesystem::path(secret).parent_path().filename().string() +
            "/secret.csv",
        std::string("/proc/self/environ"),
        folder_.path() + "x/data.parquet"}) {
    expect_refused("FROM read_csv('" + path + "')", no_file);
  }
  for (const std::string function :
       {"read_text", "read_blob", "read_json", "read_parquet", "sniff_csv", "parquet_metadata"}) {
    expect_refused("FROM " + function + "('" + secret + "')", no_file);
  }
  expect_refused("FROM glob('/etc/*')", no_file);
  expect_refused("FROM '" + secret + "'", no_file);
  EXPECT_NE(ask("SELECT getenv('HOME')").find("does not exist"), std::string::npos);
}

TEST_F(LockDown, RefusesEveryStatementThatIsNotReading) {
  for (const std::string sql :
       {"CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE TEMP TABLE x (a INT)",
        "CREATE TYPE x AS ENUM ('a')",
        "CREATE MACRO x() AS 1",
        "DROP VIEW t",
        "SET threads = 1",
        "RESET threads",
        "PRAGMA memory_limit = '9GB'",
        "CHECKPOINT",
        "PREPARE x AS SELECT 1",
        "BEGIN",
        "CALL pragma_version()",
        "ANALYZE",
        "SET VARIABLE x = 1"}) {
    expect_refused(sql, only_reading);
  }
}

TEST_F(LockDown, RefusesToWriteEvenWhereItMayRead) {
  const std::string target = folder_.file("x.parquet");
  expect_refused("COPY t TO '" + target + "'", only_reading);
  expect_refused("COPY (FROM t) TO '" + target + "' (FORMAT csv)", only_reading);
  expect_refused("EXPORT DATABASE '" + folder_.file("x") + "'", only_reading);
  expect_refused("EXPLAIN EXPORT DATABASE '" + folder_.file("x") + "'", only_reading);
  expect_refused("EXPLAIN COPY t TO '" + target + "'", only_reading);
  expect_refused("EXPLAIN ANALYZE COPY t TO '" + target + "'", only_reading);
  expect_refused("EXPLAIN (ANALYZE) COPY t TO '" + target + "'", only_reading);
  expect_refused("-- a\n explain /* b */ analyze COPY t TO '" + target + "'", only_reading);
  // A comment within a comment: what this program takes for the end of it need not be the end for
  // the database.
  const std::string said =
      ask("EXPLAIN /* /* */ SELECT 1 AS a -- */ ANALYZE COPY t TO '" + target + "'\n */");
  EXPECT_TRUE(said.starts_with("invalid_argument: ")) << said;
  EXPECT_FALSE(std::filesystem::exists(target));
  expect_refused("ATTACH '" + folder_.file("x.db") + "'", only_reading);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("x.db")));
  expect_refused("SELECT * FROM query('COPY t TO ''" + target + "''')", "SELECT statement");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder_.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1U);
}

TEST_F(LockDown, RefusesMoreThanOneStatement) {
  for (const std::string sql :
       {"SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW t",
        "SELECT 1;;SELECT 2",
        "PIVOT t ON g USING sum(a); SELECT 1",
        "FROM t; PIVOT t ON g USING sum(a)"}) {
    expect_refused(sql, "one statement at a time");
  }
  expect_refused("CREATE TYPE x AS ENUM ('a'); SELECT 1", only_reading);
  const std::string said = ask("SELECT 1) ; CREATE TYPE x AS ENUM ('a'); FROM (SELECT 2");
  EXPECT_TRUE(said.starts_with("invalid_argument: ")) << said;
}

TEST_F(LockDown, RefusesToLoadCodeAndToOpenOtherDatabases) {
  expect_refused("LOAD httpfs", only_reading);
  expect_refused("LOAD '" + folder_.file("x.duckdb_extension") + "'", only_reading);
  expect_refused("INSTALL httpfs", only_reading);
  expect_refused("ATTACH ':memory:' AS m", only_reading);
  expect_refused("SELECT * FROM sqlite_scan('" + folder_.file("x") + "', 'x')", "");
  expect_refused("CREATE PERSISTENT SECRET s (TYPE s3)", only_reading);
}

TEST_F(LockDown, RefusesTheNetwork) {
  expect_refused("FROM read_csv('http://127.0.0.1:9/x.csv')", "disabled");
  expect_refused("FROM 'https://127.0.0.1:9/x.parquet'", "disabled");
  expect_refused("FROM read_parquet('s3://bucket/x.parquet')", "disabled");
  // Trusted statements are not locked down, but the process has no sockets.
  const auto said = worker_.read(
      "FROM read_csv('http://127.0.0.1:9/x.csv')",
      1,
      [](QueryResult&&) -> Result<void> { return {}; }
  );
  EXPECT_FALSE(said);
}

TEST_F(LockDown, CannotBeOpenedAgain) {
  expect_refused("SET enable_external_access = true", only_reading);
  expect_refused("PRAGMA enable_external_access = true", only_reading);
  expect_refused("SET lock_configuration = false", only_reading);
  // Nor through a function within a SELECT.
  EXPECT_FALSE(ask("SELECT set_config('enable_external_access', 'true')").starts_with("["));
  expect_refused("FROM read_text('/etc/passwd')", no_file);
}

TEST_F(LockDown, RefusesParameters) {
  expect_refused("SELECT ?", "parameters");
  expect_refused("SELECT $name", "parameters");
}

TEST_F(LockDown, ReportsWrongSqlAsTheCallersFault) {
  for (const std::string sql :
       {"SELEC 1",
        "SELECT",
        "SELECT x FROM t",
        "FROM nothing",
        "",
        " ; ",
        "EXPLAIN",
        "SELECT 'a'::INTEGER",
        "SELECT 1)",
        "SELECT 'a"}) {
    EXPECT_TRUE(ask(sql).starts_with("invalid_argument: ")) << sql << " -> " << ask(sql);
  }
  EXPECT_TRUE(ask(std::string("SELECT 1\0 2", 11)).starts_with("invalid_argument: "));
}

TEST_F(LockDown, ExportsWhatAQueryReadsAndNothingElse) {
  for (const std::string name : {"out.parquet", "out.csv", "out.ndjson", "out.json"}) {
    const std::string path = other_.file(name);
    const auto rows = worker_.export_rows(query("SELECT a FROM t ORDER BY a; "), path);
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_EQ(*rows, 4U);
    EXPECT_EQ(
        answer(
            worker_, {.sql = "SELECT sum(a)::BIGINT AS s FROM '" + path + "'", .readable = {path}}
        ),
        R"([{"s":6}])"
    ) << name;
    EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  }
  EXPECT_EQ(Folder::read(other_.file("out.csv")), "a\n0\n1\n2\n3\n");
  EXPECT_EQ(Folder::read(other_.file("out.ndjson")).substr(0, 16), "{\"a\":0}\n{\"a\":1}\n");

  const auto pivot = worker_.export_rows(query("PIVOT t ON g USING sum(a)"), other_.file("p.csv"));
  EXPECT_TRUE(pivot) << pivot.error().message;
  const auto comment = worker_.export_rows(query("FROM t -- all"), other_.file("c.csv"));
  EXPECT_TRUE(comment) << comment.error().message;
}

TEST_F(LockDown, RefusesAnExportThatDoesMoreThanReading) {
  const std::string path = other_.file("out.csv");
  for (const std::string& sql :
       {std::string("FROM read_text('/etc/passwd')"),
        std::string("COPY t TO '/tmp/x.csv'"),
        std::string("SELECT 1) TO '") + other_.file("y.csv") + "'; COPY (SELECT 1",
        std::string("SELECT 1; SELECT 2"),
        std::string("EXPLAIN FROM t")}) {
    const auto rows = worker_.export_rows(query(sql), path);
    ASSERT_FALSE(rows) << sql;
    EXPECT_EQ(rows.error().code, Code::invalid_argument) << sql << rows.error().message;
  }
  EXPECT_TRUE(std::filesystem::is_empty(other_.path()));
  const auto rows = worker_.export_rows(query("FROM t"), other_.file("out.xlsx"));
  ASSERT_FALSE(rows);
  EXPECT_NE(rows.error().message.find("no known ending"), std::string::npos);
  EXPECT_FALSE(worker_.export_rows(query("FROM t"), "/nonexistent/out.csv"));
}

}  // namespace
}  // namespace weir::table
