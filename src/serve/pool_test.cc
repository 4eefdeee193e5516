#include "serve/pool.h"

#include <deque>
#include <optional>

#include <gtest/gtest.h>

#include "serve/test_session.h"

namespace weir::serve {
namespace {

using model::Progress;
using Mode = BatchingOptions::Mode;

// A pool for which every run is slow, and a version whose first run stands still until it is let
// go: what comes meanwhile waits.
class PoolTest : public testing::Test {
 protected:
  PoolTest() : pool({.threads = 1, .slow_us = 0}) {}

  void hold(const TestVersion& version) {
    held_run.emplace(*version.session);
    EXPECT_EQ(version.version->infer(held), Progress::pending);
    held_run->stands.acquire();
  }
  void let_go() {
    held_run->go_on.release();
    held.wait();
  }

  std::optional<HeldRun> held_run;
  TestInference held{0};
  Pool pool;
};

VersionLimits with_batches(std::size_t max_rows = 64) {
  return {.batching = {.mode = Mode::fixed, .max_rows = max_rows, .max_delay_us = 0}};
}

TEST_F(PoolTest, AFastRunStaysOnItsThreadAndASlowOneLeavesIt) {
  Pool patient({.threads = 1, .slow_us = 60'000'000});
  const TestVersion fast = make_test_version(1, 0, {}, &patient);
  TestInference inline_run(1);
  EXPECT_EQ(fast.version->infer(inline_run), Progress::done);
  EXPECT_EQ(inline_run.output(), 1);

  const TestVersion slow = make_test_version(1, 0, {}, &pool);
  TestInference passed_on(2);
  EXPECT_EQ(slow.version->infer(passed_on), Progress::pending);
  passed_on.wait();
  EXPECT_EQ(passed_on.output(), 2);
  EXPECT_EQ(passed_on.batch_rows, 1U);
  EXPECT_GT(slow.version->meter().cpu_ns, 0U);
}

TEST_F(PoolTest, ARequestFarLargerThanAnyBeforeIsMeasuredInThePool) {
  Pool patient({.threads = 1, .slow_us = 60'000'000});
  const TestVersion version = make_test_version(1, 0, {}, &patient);
  TestInference large(1, 1000);
  EXPECT_EQ(version.version->infer(large), Progress::pending);
  large.wait();
  TestInference again(1, 1000);
  EXPECT_EQ(version.version->infer(again), Progress::done);
}

TEST_F(PoolTest, WhatGathersWhileABatchRunsIsTheNextOne) {
  const TestVersion version = make_test_version(1, 0.5F, with_batches(), &pool);
  hold(version);
  TestInference one(10, 2);
  TestInference two(20);
  TestInference three(30);
  for (TestInference* next : {&one, &two, &three}) {
    EXPECT_EQ(version.version->infer(*next), Progress::pending);
  }
  EXPECT_EQ(version.version->queued(), 3U);
  let_go();
  for (TestInference* next : {&one, &two, &three}) next->wait();
  EXPECT_EQ(one.output(1), 11.5F);
  EXPECT_EQ(two.output(), 20.5F);
  EXPECT_EQ(three.output(), 30.5F);
  EXPECT_EQ(version.session->runs().back(), 4U);
  EXPECT_EQ(one.batch_rows + two.batch_rows + three.batch_rows, 4U);
}

TEST_F(PoolTest, ABatchStopsAtItsLimitOfRows) {
  const TestVersion version = make_test_version(1, 0, with_batches(4), &pool);
  hold(version);
  std::deque<TestInference> waiting;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(version.version->infer(waiting.emplace_back(1.0F, 2)), Progress::pending);
  }
  let_go();
  for (TestInference& next : waiting) next.wait();
  const std::vector<std::size_t> runs = version.session->runs();
  ASSERT_GE(runs.size(), 2U);
  EXPECT_EQ(runs[runs.size() - 2], 4U);
  EXPECT_EQ(runs.back(), 2U);
}

TEST_F(PoolTest, OneBadRequestOfABatchFailsAlone) {
  const TestVersion version = make_test_version(1, 0, with_batches(), &pool);
  hold(version);
  TestInference good(1);
  TestInference bad(TestSession::refused_value);
  TestInference fine(3);
  for (TestInference* next : {&good, &bad, &fine}) {
    EXPECT_EQ(version.version->infer(*next), Progress::pending);
  }
  let_go();
  for (TestInference* next : {&good, &bad, &fine}) next->wait();
  EXPECT_TRUE(good.status.has_value());
  EXPECT_EQ(good.output(), 1);
  ASSERT_FALSE(bad.status.has_value());
  EXPECT_EQ(bad.status.error().code, Code::invalid_argument);
  EXPECT_EQ(fine.output(), 3);
}

TEST_F(PoolTest, TheMoreUrgentGoesFirst) {
  const TestVersion version = make_test_version(1, 0, {}, &pool);
  hold(version);
  TestInference usual(1, 1);
  TestInference urgent(1, 2);
  TestInference idle(1, 3);
  urgent.priority = 1;
  idle.priority = 200;
  for (TestInference* next : {&idle, &usual, &urgent}) {
    EXPECT_EQ(version.version->infer(*next), Progress::pending);
  }
  let_go();
  for (TestInference* next : {&idle, &usual, &urgent}) next->wait();
  const std::vector<std::size_t> runs = version.session->runs();
  EXPECT_EQ(std::vector(runs.end() - 3, runs.end()), (std::vector<std::size_t>{2, 1, 3}));
}

TEST_F(PoolTest, VersionsTakeTurns) {
  const TestVersion busy = make_test_version(1, 0, {}, &pool);
  const TestVersion other = make_test_version(2, 0, {}, &pool);
  hold(busy);
  std::deque<TestInference> waiting;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(busy.version->infer(waiting.emplace_back(1.0F)), Progress::pending);
  }
  std::atomic<int> before_other{-1};
  other.session->before_run = [&] { before_other = busy.session->calls.load(); };
  const int calls = busy.session->calls;
  TestInference neighbour(7);
  EXPECT_EQ(other.version->infer(neighbour), Progress::pending);
  let_go();
  neighbour.wait();
  EXPECT_LE(before_other, calls + 1);
  for (TestInference& next : waiting) next.wait();
}

TEST_F(PoolTest, AFullQueueRefusesAtOnceAndSaysWhichLimit) {
  const TestVersion version = make_test_version(
      1, 0, {.queue = {.max_requests = 2, .max_rows = 5, .max_wait_us = 60'000'000}}, &pool
  );
  hold(version);
  TestInference one(1, 3);
  EXPECT_EQ(version.version->infer(one), Progress::pending);
  TestInference many_rows(1, 3);
  EXPECT_EQ(version.version->infer(many_rows), Progress::done);
  EXPECT_EQ(many_rows.status.error().code, Code::exhausted);
  EXPECT_NE(many_rows.status.error().message.find("queue_rows"), std::string::npos);
  TestInference two(1, 1);
  EXPECT_EQ(version.version->infer(two), Progress::pending);
  EXPECT_TRUE(version.version->is_overloaded(0));
  TestInference third(1, 1);
  EXPECT_EQ(version.version->infer(third), Progress::done);
  EXPECT_NE(third.status.error().message.find("queue_requests"), std::string::npos);
  EXPECT_EQ(version.version->meter().refused, 2U);
  let_go();
  one.wait();
  two.wait();
}

TEST_F(PoolTest, ARequestThatCannotMakeItsDeadlineIsRefusedAtOnce) {
  const TestVersion version = make_test_version(1, 0, {}, &pool);
  hold(version);
  TestInference waiting(1);
  EXPECT_EQ(version.version->infer(waiting), Progress::pending);
  TestInference hopeless(1);
  hopeless.deadline = now_us() - 1;
  EXPECT_EQ(version.version->infer(hopeless), Progress::done);
  EXPECT_EQ(hopeless.status.error().code, Code::exhausted);
  EXPECT_NE(hopeless.status.error().message.find("timeout"), std::string::npos);
  let_go();
  waiting.wait();
}

TEST_F(PoolTest, WhoseDeadlinePassesInTheQueueIsNeverRun) {
  const TestVersion version = make_test_version(1, 0, {}, &pool);
  hold(version);
  TestInference late(1);
  late.deadline = now_us() + 60 * us_per_second;
  EXPECT_EQ(version.version->infer(late), Progress::pending);
  late.deadline = now_us() - 1;  // The clock has gone on.
  const int calls = version.session->calls;
  let_go();
  late.wait();
  EXPECT_EQ(late.status.error().code, Code::deadline);
  EXPECT_EQ(version.session->calls, calls);
  EXPECT_EQ(version.version->meter().late, 1U);
}

TEST_F(PoolTest, WhatStillWaitsWhenThePoolEndsIsToldSo) {
  auto ending = std::make_unique<Pool>(PoolOptions{.threads = 1, .slow_us = 0});
  const TestVersion version = make_test_version(1, 0, {}, ending.get());
  hold(version);
  TestInference waiting(1);
  EXPECT_EQ(version.version->infer(waiting), Progress::pending);
  std::thread end([&] { ending.reset(); });
  waiting.wait();
  EXPECT_EQ(waiting.status.error().code, Code::unavailable);
  let_go();
  end.join();
}

}  // namespace
}  // namespace weir::serve
