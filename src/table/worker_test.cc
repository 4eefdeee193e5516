#include "table/worker.h"

#include <array>
#include <atomic>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "table/test_worker.h"

using ::testing::InitGoogleTest;

namespace weir::table {
namespace {

// Runs for minutes unless it is interrupted.
constexpr const char* endless =
    "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE (a.range * b.range) % 7 = 3";

// The endless statement, at work for sure once `marker` exists: its setup writes it.
Query endless_query(const std::string& marker) {
  return {.setup = "COPY (SELECT 1) TO '" + marker + "' (FORMAT csv)", .sql = endless};
}

void wait_for(const std::string& marker) {
  const std::int64_t give_up_ns = monotonic_ns() + 60'000'000'000;
  while (!std::filesystem::exists(marker) && monotonic_ns() < give_up_ns) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(std::filesystem::exists(marker)) << "the statement did not begin";
}

// A parent that dies at once, with SIGKILL, while its worker computes; the file "pid" in the folder
// says which process that is.
void die_as_parent(const Folder& folder) {
  Worker worker(small_worker());
  if (!worker.start()) return;
  folder.write("pid", std::to_string(*worker.pid()));
  const std::thread caller([&] {
    static_cast<void>(answer(worker, endless_query(folder.file("marker"))));
  });
  wait_for(folder.file("marker"));
  ::kill(::getpid(), SIGKILL);
}

}  // namespace
}  // namespace weir::table

#if defined(__SANITIZE_THREAD__)
// libduckdb is not instrumented, so ThreadSanitizer sees only half of its locking.
extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1";
}
#endif

// The test program is the worker of its own tests.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "worker") {
    return weir::table::run_worker(weir::table::worker_socket, weir::table::open_test_segments);
  }
  if (argc > 2 && std::string_view(argv[1]) == "dying-parent") {
    weir::table::die_as_parent(weir::table::Folder(argv[2]));
    return 1;
  }
  InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

namespace weir::table {
namespace {

TEST(Worker, AnswersAQueryWithColumnsAndRows) {
  Worker worker(small_worker());
  const auto result = worker.query({.sql = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->json, R"([{"a":1,"b":"x"},{"a":2,"b":null}])");
  EXPECT_EQ(result->rows, 2U);
  EXPECT_FALSE(result->truncated);
  const std::vector<ColumnInfo> columns = {{"a", "INTEGER"}, {"b", "VARCHAR"}};
  EXPECT_EQ(result->columns, columns);
}

TEST(Worker, AnswersAQueryWithoutRowsWithAnEmptyArray) {
  Worker worker(small_worker());
  EXPECT_EQ(ask(worker, "SELECT 1 AS a WHERE false"), "[]");
}

TEST(Worker, StartsNothingBeforeTheFirstCall) {
  Worker worker(small_worker());
  EXPECT_EQ(worker.pid(), std::nullopt);
  EXPECT_EQ(worker.memory_bytes(), 0U);
  ASSERT_TRUE(worker.start());
  EXPECT_TRUE(worker.pid().has_value());
  EXPECT_GT(worker.memory_bytes(), 0U);
}

TEST(Worker, KeepsItsChildFromOneCallToTheNext) {
  Worker worker(small_worker());
  ASSERT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
  const auto pid = worker.pid();
  ASSERT_EQ(ask(worker, "SELECT 2 AS a"), R"([{"a":2}])");
  EXPECT_EQ(worker.pid(), pid);
}

TEST(Worker, GivesEveryQueryAFreshDatabase) {
  Worker worker(small_worker());
  ASSERT_EQ(
      answer(worker, {.setup = "CREATE TABLE t AS SELECT 1 AS a", .sql = "FROM t"}), R"([{"a":1}])"
  );
  EXPECT_NE(ask(worker, "FROM t").find("Table with name t does not exist"), std::string::npos);
}

TEST(Worker, StartsANewChildAfterOneWasKilled) {
  Worker worker(small_worker());
  ASSERT_TRUE(worker.start());
  const int first = *worker.pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  // Wait until it is dead, without taking it away from the worker.
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(first), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
  EXPECT_NE(worker.pid(), first);
}

TEST(Worker, SaysUnavailableWhenItsChildDiesAtWorkAndThenWorksAgain) {
  const Folder folder;
  Worker worker(small_worker());
  ASSERT_TRUE(worker.start());
  const int pid = *worker.pid();
  std::string said;
  std::thread caller([&] { said = answer(worker, endless_query(folder.file("marker"))); });
  wait_for(folder.file("marker"));
  ::kill(pid, SIGKILL);
  caller.join();
  EXPECT_TRUE(said.starts_with("unavailable: ")) << said;
  EXPECT_NE(said.find("signal 9"), std::string::npos) << said;
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, StopEndsAStatementThatIsAtWork) {
  const Folder folder;
  Worker worker(small_worker());
  ASSERT_TRUE(worker.start());
  std::string said;
  std::thread caller([&] { said = answer(worker, endless_query(folder.file("marker"))); });
  wait_for(folder.file("marker"));
  worker.stop();
  caller.join();
  EXPECT_TRUE(said.starts_with("unavailable: ")) << said;
}

TEST(Worker, StopOfAnIdleChildLetsTheNextCallStartAnother) {
  Worker worker(small_worker());
  ASSERT_TRUE(worker.start());
  const int first = *worker.pid();
  worker.stop();
  EXPECT_EQ(worker.pid(), std::nullopt);
  EXPECT_EQ(::kill(first, 0), -1);
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, EndsAStatementAtItsTimeLimit) {
  Worker worker(small_worker());
  ASSERT_TRUE(worker.start());
  const auto pid = worker.pid();
  const std::string said = answer(worker, {.sql = endless, .timeout_us = 200'000});
  EXPECT_TRUE(said.starts_with("deadline: the statement took longer than 0.2 s")) << said;
  // Interrupted, not killed.
  EXPECT_EQ(worker.pid(), pid);
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, KillsAChildThatDoesNotKeepItsTimeLimit) {
  WorkerOptions options = small_worker();
  options.kill_after_us = 100'000;
  Worker worker(options);
  ASSERT_TRUE(worker.start());
  const int pid = *worker.pid();
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  const std::string said = answer(worker, {.sql = "SELECT 1 AS a", .timeout_us = 100'000});
  EXPECT_TRUE(said.starts_with("deadline: ")) << said;
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, SaysWhenACallWaitedTooLongForItsTurn) {
  const Folder folder;
  Worker worker(small_worker());
  std::string first;
  std::thread caller([&] { first = answer(worker, endless_query(folder.file("marker"))); });
  wait_for(folder.file("marker"));
  const std::string said = answer(worker, {.sql = "SELECT 1 AS a", .timeout_us = 50'000});
  EXPECT_TRUE(said.starts_with("exhausted: the SQL worker was busy")) << said;
  worker.stop();
  caller.join();
  EXPECT_TRUE(first.starts_with("unavailable: ")) << first;
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, AnswersCallsOfSeveralThreads) {
  Worker worker(small_worker());
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) {
        const std::string number = std::to_string(10 * i + k);
        if (ask(worker, "SELECT " + number + " AS a") == "[{\"a\":" + number + "}]") ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

TEST(Worker, CutsAResultAtTheRowLimitAndSaysSo) {
  WorkerOptions options = small_worker();
  options.max_result_rows = 3;
  Worker worker(options);
  const auto exact = worker.query({.sql = "SELECT range AS a FROM range(3)"});
  ASSERT_TRUE(exact) << exact.error().message;
  EXPECT_EQ(exact->rows, 3U);
  EXPECT_FALSE(exact->truncated);
  const auto cut = worker.query({.sql = "SELECT range AS a FROM range(4)"});
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(cut->json, R"([{"a":0},{"a":1},{"a":2}])");
  EXPECT_TRUE(cut->truncated);
  // A query may ask for fewer rows, not for more.
  EXPECT_EQ(worker.query({.sql = "FROM range(9)", .max_rows = 2})->rows, 2U);
  EXPECT_EQ(worker.query({.sql = "FROM range(9)", .max_rows = 7})->rows, 3U);
}

TEST(Worker, CutsAResultAtTheByteLimit) {
  WorkerOptions options = small_worker();
  options.max_result_bytes = std::string_view(R"([{"a":0},{"a":1}])").size();
  Worker worker(options);
  const auto cut = worker.query({.sql = "SELECT range AS a FROM range(4)"});
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(cut->json, R"([{"a":0},{"a":1}])");
  EXPECT_TRUE(cut->truncated);
  EXPECT_FALSE(worker.query({.sql = "SELECT range AS a FROM range(2)"})->truncated);
}

TEST(Worker, DoesNotKeepALargeResultInMemory) {
  Worker worker(small_worker());
  const auto result = worker.query({.sql = "FROM range(10000000000)", .max_rows = 5});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->rows, 5U);
  EXPECT_TRUE(result->truncated);
}

TEST(Worker, SaysExhaustedWhenAStatementNeedsTooMuchMemory) {
  WorkerOptions options = small_worker();
  options.memory_bytes = 32ULL << 20;
  Worker worker(options);
  const std::string said =
      ask(worker,
          "SELECT count(DISTINCT range::VARCHAR || 'aaaaaaaaaaaaaaaa') "
          "FROM range(5000000)");
  EXPECT_TRUE(said.starts_with("exhausted: Out of Memory Error")) << said;
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

// Needs more memory than the worker of the test has, and can be done with a disk instead.
constexpr const char* large_sort =
    "FROM (SELECT hash(range) AS a, md5(range::VARCHAR) AS b FROM range(600000)) "
    "ORDER BY a LIMIT 1 OFFSET 599999";

TEST(Worker, UsesItsTempFolderForTrustedStatementsAndExportsOnly) {
  const Folder folder;
  WorkerOptions options = small_worker();
  options.memory_bytes = 32ULL << 20;
  options.threads = 1;
  const auto copy = [&](const std::string& name) {
    return "COPY (" + std::string(large_sort) + ") TO '" + folder.file(name) + "' (FORMAT csv)";
  };
  Worker without(options);
  const auto failed = without.execute(copy("a.csv"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::exhausted) << failed.error().message;

  options.temp_folder = folder.file("temp");
  Worker with(options);
  const auto done = with.execute(copy("b.csv"));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*done, 1U);
  const auto exported = with.export_rows({.sql = large_sort}, folder.file("c.csv"));
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_TRUE(ask(with, large_sort).starts_with("exhausted: "));

  options.temp_folder = folder.file("other_temp");
  options.max_temp_bytes = 1ULL << 20;
  Worker limited(options);
  EXPECT_FALSE(limited.execute(copy("d.csv")));
}

TEST(Worker, RefusesAStatementThatIsTooLong) {
  WorkerOptions options = small_worker();
  options.max_statement_bytes = 1'000;
  Worker worker(options);
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
  const std::string said = ask(worker, "SELECT '" + std::string(2'000, 'x') + "'");
  EXPECT_TRUE(said.starts_with("invalid_argument: the statement has")) << said;
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, SaysWhichProgramDidNotStart) {
  WorkerOptions options = small_worker();
  options.program = "/nonexistent/weir";
  Worker missing(options);
  EXPECT_NE(missing.start().error().message.find("/nonexistent/weir"), std::string::npos);
  options.program = "/bin/false";
  Worker wrong(options);
  const Result<void> started = wrong.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::unavailable);
  EXPECT_NE(started.error().message.find("exit code 1"), std::string::npos)
      << started.error().message;
}

TEST(Worker, SaysWhereItLookedForDuckDb) {
  WorkerOptions options = small_worker();
  options.duckdb_library = "/nonexistent/libduckdb.so";
  Worker worker(options);
  const std::string said = ask(worker, "SELECT 1 AS a");
  EXPECT_TRUE(said.starts_with("unavailable: SQL and Parquet need libduckdb.so")) << said;
  EXPECT_NE(said.find("/nonexistent/libduckdb.so"), std::string::npos);
}

TEST(Worker, ChildEndsWhenItsParentDies) {
  const Folder folder;
  std::string program = "weir_table_test";
  std::string mode = "dying-parent";
  std::string path = folder.path();
  std::array<char*, 4> arguments = {program.data(), mode.data(), path.data(), nullptr};
  pid_t parent = -1;
  ASSERT_EQ(
      ::posix_spawn(&parent, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ), 0
  );
  int status = 0;
  ASSERT_EQ(::waitpid(parent, &status, 0), parent);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  const int child = std::stoi(Folder::read(folder.file("pid")));
  const std::int64_t give_up_ns = monotonic_ns() + 20'000'000'000;
  while (::kill(child, 0) == 0 && monotonic_ns() < give_up_ns) std::this_thread::yield();
  EXPECT_EQ(::kill(child, 0), -1) << "the worker outlived its parent";
}

TEST(Worker, ExecutesTrustedStatementsAndCountsRows) {
  const Folder folder;
  Worker worker(small_worker());
  const std::string path = folder.file("t.parquet");
  const auto copied = worker.execute(
      "CREATE TABLE t AS SELECT range AS a FROM range(10);"
      "COPY t TO '" +
      path + "' (FORMAT parquet, COMPRESSION zstd)"
  );
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(*copied, 10U);
  EXPECT_EQ(
      answer(
          worker,
          {.setup = "CREATE VIEW v AS FROM read_parquet('" + path + "')",
           .sql = "SELECT sum(a) AS s FROM v",
           .readable = {path}}
      ),
      R"([{"s":45}])"
  );
  EXPECT_EQ(worker.execute("").value(), 0U);
}

TEST(Worker, ReadsAllRowsInBatches) {
  Worker worker(small_worker());
  std::vector<std::uint64_t> sizes;
  std::string first;
  const auto total = worker.read(
      "SELECT range AS a FROM range(250)",
      100,
      [&](QueryResult&& batch) -> Result<void> {
        if (first.empty()) first = batch.json.substr(0, 16);
        sizes.push_back(batch.rows);
        return {};
      }
  );
  ASSERT_TRUE(total) << total.error().message;
  EXPECT_EQ(total->rows, 250U);
  EXPECT_EQ(total->columns, (std::vector<ColumnInfo>{{"a", "BIGINT"}}));
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{100, 100, 50}));
  EXPECT_EQ(first, R"([{"a":0},{"a":1})");
}

TEST(Worker, EndsAReadingWhenItsSinkFails) {
  Worker worker(small_worker());
  const auto total =
      worker.read("SELECT range AS a FROM range(1000)", 10, [](QueryResult&&) -> Result<void> {
        return fail(Code::conflict, "enough");
      });
  ASSERT_FALSE(total);
  EXPECT_EQ(total.error().message, "enough");
  EXPECT_EQ(ask(worker, "SELECT 1 AS a"), R"([{"a":1}])");
}

TEST(Worker, ReadsAMatrixRowByRow) {
  Worker worker(small_worker());
  const auto matrix = worker.read_matrix(
      "SELECT range::FLOAT AS a, CASE WHEN range <> 1 THEN -range END::FLOAT AS b FROM range(3)"
  );
  ASSERT_TRUE(matrix) << matrix.error().message;
  EXPECT_EQ(matrix->columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(matrix->rows, 3U);
  ASSERT_EQ(matrix->values.size(), 6U);
  EXPECT_EQ(matrix->values[4], 2.0F);
  EXPECT_EQ(matrix->values[5], -2.0F);
  EXPECT_TRUE(std::isnan(matrix->values[3]));
}

TEST(Worker, RefusesAMatrixOverTheLimit) {
  WorkerOptions options = small_worker();
  options.max_matrix_bytes = 4'000;
  Worker worker(options);
  EXPECT_TRUE(worker.read_matrix("SELECT range::FLOAT AS a FROM range(1000)"));
  const auto over = worker.read_matrix("SELECT range::FLOAT AS a FROM range(1001)");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::exhausted);
}

}  // namespace
}  // namespace weir::table
