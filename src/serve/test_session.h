#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "model/session.h"
#include "serve/version.h"

// A model for tests: FP32 input `x` [-1, 2], output `y` [-1, 1] = offset + x0 + x1.

namespace weir::serve {

inline model::Signature test_signature() {
  model::Signature signature;
  signature.platform = "test";
  signature.inputs = {{"x", tensor::DataType::fp32, tensor::Shape{-1, 2}}};
  signature.outputs = {{"y", tensor::DataType::fp32, tensor::Shape{-1, 1}}};
  signature.task = model::Task::regression;
  signature.has_row_axis = true;
  signature.features = {
      {.name = "a", .input = 0, .index = 0}, {.name = "b", .input = 0, .index = 1}};
  signature.score = model::OutputElement{0, 0};
  return signature;
}

class TestSession final : public model::Session {
 public:
  explicit TestSession(float offset) : offset_(offset), signature_(test_signature()) {}

  const model::Signature& signature() const override { return signature_; }

  model::Progress infer(model::Inference& inference) override {
    ++calls;
    {
      const std::lock_guard lock(mutex_);
      runs_.push_back(inference.rows);
    }
    // A copy: the function may take itself away.
    if (const std::function<void()> run = before_run) run();
    if (fails) {
      inference.status = fail(Code::internal, "the test model fails");
      return model::Progress::done;
    }
    for (const float value : inference.inputs[0].values<float>()) {
      if (value != refused_value) continue;
      inference.status = fail(Code::invalid_argument, "the test model refuses {}", value);
      return model::Progress::done;
    }
    inference.outputs.resize(1);
    const auto x = inference.inputs[0].values<float>();
    inference.outputs[0].reset(
        tensor::DataType::fp32, tensor::Shape{static_cast<std::int64_t>(inference.rows), 1}
    );
    for (std::size_t row = 0; row < inference.rows; ++row) {
      inference.outputs[0].values<float>()[row] = offset_ + x[2 * row] + x[2 * row + 1];
    }
    inference.status = {};
    inference.run_ns = 1000;
    return model::Progress::done;
  }

  // Rows of each run so far.
  std::vector<std::size_t> runs() const {
    const std::lock_guard lock(mutex_);
    return runs_;
  }

  static constexpr float refused_value = -99;
  std::atomic<int> calls{0};
  std::atomic<bool> fails{false};
  std::function<void()> before_run;

 private:
  mutable std::mutex mutex_;
  std::vector<std::size_t> runs_;
  float offset_;
  model::Signature signature_;
};

// The next run of a session stands still until it may go on.
struct HeldRun {
  explicit HeldRun(TestSession& session) {
    session.before_run = [this, &session] {
      session.before_run = nullptr;
      stands.release();
      go_on.acquire();
    };
  }
  std::binary_semaphore stands{0};
  std::binary_semaphore go_on{0};
};

struct TestVersion {
  std::shared_ptr<const Version> version;
  TestSession* session;  // Owned by the version.
};

inline TestVersion make_test_version(
    std::uint32_t number, float offset = 0, const VersionLimits& limits = {}, Pool* pool = nullptr
) {
  auto session = std::make_unique<TestSession>(offset);
  TestSession* borrowed = session.get();
  VersionIdentity identity{.endpoint = "e", .number = number, .sha256 = "", .name = ""};
  return {
      std::make_shared<const Version>(
          std::move(identity),
          std::move(session),
          limits,
          std::vector<std::string>{},
          std::vector<std::string>{},
          pool
      ),
      borrowed};
}

// Rows for the test model: row i is {first + i, 0}. Remembers its end.
class TestInference final : public model::Inference {
 public:
  explicit TestInference(float first, std::size_t count = 1) {
    rows = count;
    inputs.resize(1);
    inputs[0].reset(tensor::DataType::fp32, tensor::Shape{static_cast<std::int64_t>(count), 2});
    for (std::size_t row = 0; row < count; ++row) {
      inputs[0].values<float>()[2 * row] = first + static_cast<float>(row);
      inputs[0].values<float>()[2 * row + 1] = 0;
    }
  }
  void complete() override { completed_.release(); }
  void wait() { completed_.acquire(); }
  float output(std::size_t row = 0) const { return outputs[0].values<float>()[row]; }

 private:
  std::binary_semaphore completed_{0};
};

}  // namespace weir::serve
