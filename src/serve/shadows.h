#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serve/call.h"
#include "serve/comparison.h"
#include "serve/recorder.h"

// Shadow versions see the same requests and change nothing: they run on threads of the lowest
// priority, behind a bounded queue, and what does not fit is dropped and counted.

namespace weir::serve {

struct ShadowOptions {
  int threads = 1;
  std::size_t queue_max_requests = 4096;
  std::uint64_t queue_max_bytes = 16ULL << 20;
};

struct ShadowCounts {
  std::uint64_t offered = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t queued = 0;
};

// Thread-safe.
class Shadows {
 public:
  Shadows(const ShadowOptions& options, Recorder& recorder, Comparison& comparison);
  ~Shadows();  // Drops what is queued.
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  // Copies what the shadows of the call's route need, and returns; never waits for one.
  void offer(const Call& call);
  // Counts the request as dropped: the server has better things to do just now.
  void drop(const Call& call);

  // Returns when everything offered before has been answered.
  void drain();

  ShadowCounts counts() const;
  // Drops of one endpoint, since the start.
  std::uint64_t dropped(std::string_view endpoint) const;

 private:
  struct Job;

  bool copy_inputs(const Call& call, const Version& shadow, Job& job) const;
  std::unique_ptr<Job> take_spare();
  void run();
  void answer(Job& job);
  void count_drop(const std::string& endpoint);

  ShadowOptions options_;
  Recorder& recorder_;
  Comparison& comparison_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::vector<std::unique_ptr<Job>> spare_;
  std::uint64_t queued_bytes_ = 0;
  int busy_ = 0;
  bool is_stopping_ = false;
  std::map<std::string, std::uint64_t, std::less<>> drops_;

  std::atomic<std::uint64_t> offered_{0};
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::vector<std::thread> threads_;
};

}  // namespace weir::serve
