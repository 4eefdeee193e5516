#include "model/call_pool.h"

#include <condition_variable>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::model {
namespace {

using ::testing::HasSubstr;

class PromisedInference final : public Inference {
 public:
  void complete() override { done_.set_value(); }
  void wait() { future_.wait(); }

 private:
  std::promise<void> done_;
  std::future<void> future_ = done_.get_future();
};

// A handler that holds every call until the gate opens.
class Gate {
 public:
  CallPool::Handler handler() {
    return [this](std::size_t, Inference& inference) {
      begun_.set_value();
      opened_.wait();
      inference.complete();
    };
  }
  void wait_for_call() { begun_.get_future().wait(); }
  void open() { open_.set_value(); }

 private:
  std::promise<void> begun_;
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
};

TEST(CallPool, DoesEveryCallThatItTookBeforeItEnds) {
  std::vector<PromisedInference> calls(100);
  {
    auto pool = CallPool::start({.name = "test", .threads = 3}, [](std::size_t, Inference& call) {
      call.run_ns = 7;
      call.complete();
    });
    ASSERT_TRUE(pool);
    for (PromisedInference& call : calls) EXPECT_EQ((*pool)->submit(call), Progress::pending);
  }
  for (const PromisedInference& call : calls) EXPECT_EQ(call.run_ns, 7);
}

TEST(CallPool, RefusesTheCallAfterTheLastThatFits) {
  Gate gate;
  std::vector<PromisedInference> calls(3);
  PromisedInference beyond;
  const auto pool = CallPool::start(
      {.name = "the test", .threads = 1, .queue = 2},
      [&](std::size_t, Inference& call) {
        if (&call == &calls[0]) return gate.handler()(0, call);
        call.complete();
      }
  );
  ASSERT_TRUE(pool);
  EXPECT_EQ((*pool)->submit(calls[0]), Progress::pending);
  gate.wait_for_call();
  EXPECT_EQ((*pool)->submit(calls[1]), Progress::pending);
  EXPECT_EQ((*pool)->submit(calls[2]), Progress::pending);
  EXPECT_EQ((*pool)->submit(beyond), Progress::done);
  ASSERT_FALSE(beyond.status);
  EXPECT_EQ(beyond.status.error().code, Code::exhausted);
  EXPECT_THAT(beyond.status.error().message, HasSubstr("2 calls wait for the test"));
  gate.open();
  for (PromisedInference& call : calls) call.wait();
}

TEST(CallPool, EndsACallInTheQueueAtItsDeadlineWhileEveryThreadIsBusy) {
  Gate gate;
  PromisedInference busy;
  PromisedInference patient;
  PromisedInference hurried;
  const auto pool =
      CallPool::start({.name = "test", .threads = 1}, [&](std::size_t, Inference& call) {
        if (&call == &busy) return gate.handler()(0, call);
        call.complete();
      });
  ASSERT_TRUE(pool);
  (*pool)->submit(busy);
  gate.wait_for_call();
  patient.deadline = now_us() + us_per_day;
  hurried.deadline = now_us() + 1000;
  (*pool)->submit(patient);
  (*pool)->submit(hurried);
  hurried.wait();  // While the gate is shut.
  ASSERT_FALSE(hurried.status);
  EXPECT_EQ(hurried.status.error().code, Code::deadline);
  gate.open();
  patient.wait();
  EXPECT_TRUE(patient.status);
}

}  // namespace
}  // namespace weir::model
