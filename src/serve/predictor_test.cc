#include "serve/predictor.h"

#include <mutex>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "serve/routing_key.h"
#include "serve/test_session.h"

namespace weir::serve {
namespace {

// A request as a test makes it; remembers how it ended.
class TestCall final : public Call {
 public:
  TestCall(Predictor& predictor, float a, float b) : predictor_(predictor), values_{a, b} {
    endpoint = "e";
    received_ns = monotonic_ns();
    arrived = now_us();
  }
  Result<void> decode() override {
    if (decode_fails) return fail(Code::invalid_argument, "not a request");
    request.clear();
    protocol::InputTensor& input = request.add_input();
    input.name = "x";
    input.tensor.reset(tensor::DataType::fp32, tensor::Shape{1, 2});
    input.tensor.values<float>()[0] = values_[0];
    input.tensor.values<float>()[1] = values_[1];
    return {};
  }
  void answer() override {
    value = response.outputs[0].tensor->values<float>()[0];
    answered_arm = response.arm;
    ended.release();
  }
  void refuse(const Error& error) override {
    refused = error;
    ended.release();
  }
  void complete() override { predictor_.resume(*this); }
  std::string_view metadata(std::string_view name) const override {
    return name == "weir-routing-key" ? key_header : std::string_view();
  }

  bool is_abandoned() const override { return has_left; }

  bool decode_fails = false;
  bool has_left = false;
  std::string_view key_header;
  float value = 0;
  std::string answered_arm;
  std::optional<Error> refused;
  std::binary_semaphore ended{0};

 private:
  Predictor& predictor_;
  float values_[2];
};

// Keeps what the recorder hands over.
class Seen final : public BatchObserver {
 public:
  struct Row {
    std::uint32_t version;
    std::string arm;
    std::string status;
    std::string predicted;
  };
  void observe(const Version&, const tensor::Columns& batch) override {
    const auto place = [&](std::string_view name) {
      for (std::size_t i = 0; i < batch.width(); ++i) {
        if (batch[i].spec().name == name) return i;
      }
      return batch.width();
    };
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.rows(); ++i) {
      rows_.push_back(
          {batch[place("version")].values<std::uint32_t>()[i],
           std::string(batch[place("arm")].text(i)),
           std::string(batch[place("status")].text(i)),
           std::string(batch[place("predicted")].text(i))}
      );
    }
  }
  std::vector<Row> rows() {
    const std::lock_guard lock(mutex_);
    return rows_;
  }

 private:
  std::mutex mutex_;
  std::vector<Row> rows_;
};

class PredictorTest : public testing::Test {
 protected:
  PredictorTest()
      : admission({.max_in_flight = 2}),
        recorder({}, nullptr, {&seen}),
        shadows({.queue_max_requests = 2}, recorder, comparison),
        predictor(admission, routes, recorder, shadows) {}

  Lane lane(const TestVersion& version, rollout::Arm arm) {
    Lane lane;
    lane.version = version.version;
    lane.arm = arm;
    lane.requests_ok = registry.counter("ok_total", "ok");
    lane.requests_failed = registry.counter("failed_total", "failed");
    lane.requests_cancelled = registry.counter("cancelled_total", "cancelled");
    lane.rows = registry.counter("rows_total", "rows");
    lane.latency = registry.histogram("latency_seconds", "latency");
    return lane;
  }
  // Publishes a route; empty lanes stay away.
  void publish(EndpointRoute route) {
    route.name = "e";
    auto table = std::make_shared<RouteTable>();
    table->emplace("e", std::make_shared<const EndpointRoute>(std::move(route)));
    routes.publish(std::move(table));
  }

  metrics::Registry registry;
  Seen seen;
  Admission admission;
  Routes routes;
  Comparison comparison;
  Recorder recorder;
  Shadows shadows;
  Predictor predictor;
};

TEST_F(PredictorTest, AnswersAndRecords) {
  const TestVersion one = make_test_version(1);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall call(predictor, 1, 2);
  predictor.start(call);
  EXPECT_EQ(call.value, 3);
  EXPECT_EQ(call.answered_arm, "primary");
  recorder.flush();
  ASSERT_EQ(seen.rows().size(), 1U);
  EXPECT_EQ(seen.rows()[0].predicted, "3");
  EXPECT_EQ(admission.in_flight(), 0U);
  EXPECT_EQ(one.version->in_flight(), 0U);
}

TEST_F(PredictorTest, AFailureOfTheModelIsOnRecordAndARefusalBeforeThePlanIsNot) {
  const TestVersion one = make_test_version(1);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall undecodable(predictor, 1, 2);
  undecodable.decode_fails = true;
  predictor.start(undecodable);
  EXPECT_EQ(undecodable.refused->code, Code::invalid_argument);
  one.session->fails = true;
  TestCall failing(predictor, 1, 2);
  predictor.start(failing);
  EXPECT_EQ(failing.refused->code, Code::internal);
  recorder.flush();
  ASSERT_EQ(seen.rows().size(), 1U);
  EXPECT_EQ(seen.rows()[0].status, "error");
  EXPECT_EQ(one.version->in_flight(), 0U);
}

TEST_F(PredictorTest, UnknownEndpointsAndVersionsAreNotFound) {
  const TestVersion one = make_test_version(1);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall nobody(predictor, 1, 2);
  nobody.endpoint = "nobody";
  predictor.start(nobody);
  EXPECT_EQ(nobody.refused->code, Code::not_found);
  TestCall pinned(predictor, 1, 2);
  pinned.pinned = 7;
  predictor.start(pinned);
  EXPECT_EQ(pinned.refused->code, Code::not_found);
  publish({});
  TestCall unloaded(predictor, 1, 2);
  predictor.start(unloaded);
  EXPECT_EQ(unloaded.refused->code, Code::unavailable);
}

TEST_F(PredictorTest, TheKeyDecidesTheArmAndShadowsAnswerNothing) {
  const TestVersion one = make_test_version(1);
  const TestVersion two = make_test_version(2, 100);
  EndpointRoute route{.primary = lane(one, rollout::Arm::primary)};
  route.candidate = lane(two, rollout::Arm::candidate);
  route.candidate_ppm = 300'000;
  route.seed = 7;
  publish(std::move(route));
  int candidates = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "user-" + std::to_string(i);
    TestCall call(predictor, 1, 2);
    call.key_header = key;
    predictor.start(call);
    const bool is_candidate = rollout::arm_of(key, 7, 300'000) == rollout::Arm::candidate;
    EXPECT_EQ(call.value, is_candidate ? 103 : 3);
    EXPECT_EQ(call.answered_arm, is_candidate ? "candidate" : "primary");
    candidates += is_candidate ? 1 : 0;
  }
  EXPECT_NEAR(candidates, 300, 75);  // Five standard deviations.
}

TEST_F(PredictorTest, AShadowIsComparedRecordedAndNeverAnswers) {
  const TestVersion one = make_test_version(1);
  const TestVersion two = make_test_version(2, 0.5F);
  EndpointRoute route{.primary = lane(one, rollout::Arm::primary)};
  route.shadows = {lane(two, rollout::Arm::shadow)};
  publish(std::move(route));
  TestCall call(predictor, 1, 2);
  predictor.start(call);
  EXPECT_EQ(call.value, 3);
  shadows.drain();
  recorder.flush();
  EXPECT_EQ(two.session->calls, 1);
  ASSERT_EQ(comparison.snapshot().size(), 1U);
  EXPECT_EQ(comparison.snapshot()[0].key.other, 2U);
  EXPECT_EQ(comparison.snapshot()[0].pairs.count(), 1U);
  ASSERT_EQ(seen.rows().size(), 2U);
}

TEST_F(PredictorTest, AShadowThatStandsStillDelaysNobodyAndItsDropsAreCounted) {
  const TestVersion one = make_test_version(1);
  const TestVersion two = make_test_version(2);
  std::binary_semaphore go_on{0};
  std::atomic<bool> stands_still{true};
  two.session->before_run = [&] {
    if (stands_still) go_on.acquire();
  };
  EndpointRoute route{.primary = lane(one, rollout::Arm::primary)};
  route.shadows = {lane(two, rollout::Arm::shadow)};
  publish(std::move(route));
  // One runs at most, two wait; the rest is dropped, and every call is answered meanwhile.
  for (int i = 0; i < 10; ++i) {
    TestCall call(predictor, 1, 2);
    predictor.start(call);
    EXPECT_EQ(call.value, 3);
  }
  EXPECT_GE(shadows.counts().dropped, 7U);
  EXPECT_EQ(shadows.dropped("e"), shadows.counts().dropped);
  stands_still = false;
  const std::uint64_t kept = 10 - shadows.counts().dropped;
  go_on.release();
  shadows.drain();
  EXPECT_EQ(shadows.counts().answered, kept);
}

TEST_F(PredictorTest, ADeadlineThatHasPassedIsRefusedBeforeTheModelRuns) {
  const TestVersion one = make_test_version(1);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall call(predictor, 1, 2);
  call.deadline = call.arrived - 1;
  predictor.start(call);
  EXPECT_EQ(call.refused->code, Code::deadline);
  EXPECT_EQ(one.session->calls, 0);
}

TEST_F(PredictorTest, AClientThatHasGoneCostsNoExecutionAndIsNoFailure) {
  const TestVersion one = make_test_version(1);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall gone(predictor, 1, 2);
  gone.has_left = true;
  predictor.start(gone);
  EXPECT_EQ(gone.refused->code, Code::cancelled);
  EXPECT_EQ(one.session->calls, 0);
  TestCall leaving(predictor, 1, 2);
  one.session->before_run = [&] { leaving.has_left = true; };
  predictor.start(leaving);
  EXPECT_EQ(leaving.refused->code, Code::cancelled);
  EXPECT_EQ(one.session->calls, 1);
  EXPECT_EQ(one.version->in_flight(), 0U);
  EXPECT_EQ(admission.in_flight(), 0U);
  const VersionStatistics& statistics = one.version->statistics();
  EXPECT_EQ(statistics.cancelled.count, 2U);
  EXPECT_EQ(statistics.fail.count, 0U);
  EXPECT_EQ(statistics.success.count, 0U);
  EXPECT_EQ(registry.counter("cancelled_total", "cancelled")->value(), 2U);
  EXPECT_EQ(registry.counter("failed_total", "failed")->value(), 0U);
}

TEST_F(PredictorTest, LimitsOfServerAndVersionAreReported) {
  const TestVersion one = make_test_version(1, 0, {.max_concurrency = 1});
  publish({.primary = lane(one, rollout::Arm::primary)});
  std::optional<Error> inner_refused;
  std::optional<Error> full;
  one.session->before_run = [&] {
    one.session->before_run = nullptr;
    // The outer call is one of two that may be in flight; this is the other.
    ASSERT_TRUE(admission.enter().has_value());
    TestCall third(predictor, 1, 2);
    predictor.start(third);
    full = third.refused;
    admission.leave();
    TestCall second(predictor, 1, 2);
    predictor.start(second);
    inner_refused = second.refused;
  };
  TestCall outer(predictor, 1, 2);
  predictor.start(outer);
  EXPECT_EQ(outer.value, 3);
  ASSERT_TRUE(full && inner_refused);
  EXPECT_EQ(full->code, Code::exhausted);
  EXPECT_NE(full->message.find("max_in_flight"), std::string::npos);
  EXPECT_EQ(inner_refused->code, Code::exhausted);
  EXPECT_NE(inner_refused->message.find("max_concurrency"), std::string::npos);
}

TEST_F(PredictorTest, ASlowCallIsAnsweredLaterAndABatchIsOneExecution) {
  Pool pool({.threads = 1, .slow_us = 0});
  const VersionLimits limits{
      .batching = {
          .mode = BatchingOptions::Mode::fixed, .max_rows = 2, .max_delay_us = 60'000'000}};
  const TestVersion one = make_test_version(1, 0, limits, &pool);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall first(predictor, 1, 2);
  TestCall second(predictor, 3, 4);
  predictor.start(first);
  EXPECT_EQ(admission.in_flight(), 1U);
  predictor.start(second);
  first.ended.acquire();
  second.ended.acquire();
  EXPECT_EQ(first.value, 3);
  EXPECT_EQ(second.value, 7);
  const VersionStatistics& statistics = one.version->statistics();
  EXPECT_EQ(statistics.inference_count, 2U);
  EXPECT_EQ(statistics.execution_count, 1U);
  EXPECT_EQ(statistics.batch_sizes[0].size, 2U);
  EXPECT_EQ(statistics.success.count, 2U);
}

TEST_F(PredictorTest, TheVersionsOwnDeadlineHoldsForRequestsThatNameNone) {
  const TestVersion one = make_test_version(1, 0, {.deadline_us = 1000});
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall call(predictor, 1, 2);
  call.received_ns -= 2'000'000;  // It has been here for 2 ms.
  predictor.start(call);
  EXPECT_EQ(call.refused->code, Code::deadline);
}

TEST_F(PredictorTest, AnOverloadedVersionRefusesBeforeTheRequestIsDecoded) {
  Pool pool({.threads = 1, .slow_us = 0});
  const TestVersion one = make_test_version(1, 0, {.queue = {.max_requests = 1}}, &pool);
  HeldRun held(*one.session);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestInference running(1);
  ASSERT_EQ(one.version->infer(running), model::Progress::pending);
  held.stands.acquire();
  TestInference waiting(1);
  ASSERT_EQ(one.version->infer(waiting), model::Progress::pending);
  TestCall call(predictor, 1, 2);
  call.decode_fails = true;  // Would be another error.
  predictor.start(call);
  EXPECT_EQ(call.refused->code, Code::exhausted);
  EXPECT_EQ(admission.in_flight(), 0U);
  held.go_on.release();
  running.wait();
  waiting.wait();
}

TEST_F(PredictorTest, ACallWhoseClientGoesLeavesTheQueueAtOnce) {
  Pool pool({.threads = 1, .slow_us = 0});
  const TestVersion one = make_test_version(1, 0, {}, &pool);
  const int calls_before = one.session->calls;
  HeldRun held(*one.session);
  publish({.primary = lane(one, rollout::Arm::primary)});
  TestCall running(predictor, 1, 2);
  predictor.start(running);
  held.stands.acquire();
  TestCall waiting(predictor, 3, 4);
  predictor.start(waiting);
  EXPECT_EQ(one.version->in_flight(), 2U);

  predictor.abandon(waiting);
  ASSERT_TRUE(waiting.refused);
  EXPECT_EQ(waiting.refused->code, Code::cancelled);
  EXPECT_EQ(one.version->in_flight(), 1U);
  EXPECT_EQ(one.version->queued(), 0U);
  EXPECT_EQ(admission.in_flight(), 1U);

  predictor.abandon(running);  // Too late for that.
  EXPECT_FALSE(running.refused);
  held.go_on.release();
  running.ended.acquire();
  EXPECT_EQ(running.value, 3);
  EXPECT_EQ(one.session->calls, calls_before + 1);
  predictor.abandon(running);  // It is over.
  EXPECT_EQ(one.version->statistics().cancelled.count, 1U);
}

TEST_F(PredictorTest, UnderLoadShadowsAreTheFirstToGo) {
  const TestVersion one = make_test_version(1);
  const TestVersion two = make_test_version(2);
  EndpointRoute route{.primary = lane(one, rollout::Arm::primary)};
  route.shadows = {lane(two, rollout::Arm::shadow)};
  publish(std::move(route));
  TestCall soon(predictor, 1, 2);
  predictor.start(soon);
  TestCall late(predictor, 1, 2);
  late.is_behind = true;
  predictor.start(late);
  EXPECT_EQ(late.value, 3);
  shadows.drain();
  EXPECT_EQ(shadows.counts().dropped, 1U);
  EXPECT_EQ(two.session->calls, 1);
}

TEST_F(PredictorTest, ARequestPlannedAfterAPublishUsesTheNewRoutes) {
  const TestVersion one = make_test_version(1);
  const TestVersion two = make_test_version(2, 100);
  publish({.primary = lane(two, rollout::Arm::primary)});
  std::atomic<bool> is_over{false};
  std::atomic<bool> is_published{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      while (!is_over) {
        const bool after = is_published;
        TestCall call(predictor, 1, 2);
        predictor.start(call);
        if (after && !call.refused && call.value != 3) ++wrong;
      }
    });
  }
  publish({.primary = lane(one, rollout::Arm::primary)});
  is_published = true;
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  is_over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

TEST(RoutingKey, CookiesAreFoundByTheirWholeName) {
  EXPECT_EQ(cookie_value("a=1; user=ada; b=2", "user"), "ada");
  EXPECT_EQ(cookie_value("superuser=x; user=ada", "user"), "ada");
  EXPECT_EQ(cookie_value("user", "user"), "");
  EXPECT_EQ(cookie_value("", "user"), "");
}

}  // namespace
}  // namespace weir::serve
