#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include "grpc/event.h"
#include "grpc/server.h"

// One thread of the server with its completion queue and the calls that it has taken.

namespace weir::grpc {

class InferCall;
class Stream;

// ModelInfer, registered by name so that the library hands over a call together with its message.
// Everything else arrives through the generic service.
class InferService final : public ::grpc::Service {
 public:
  InferService();
  void request(
      ::grpc::ServerContext& context,
      ::grpc::ByteBuffer& message,
      ::grpc::ServerAsyncResponseWriter<::grpc::ByteBuffer>& writer,
      ::grpc::ServerCompletionQueue& queue,
      Event& arrived
  );
};

// What all workers share.
struct Shared {
  explicit Shared(Sources sources_) : sources(std::move(sources_)) {}

  // An error status when the call brings no valid token.
  ::grpc::Status authorise(const ::grpc::ServerContext& context) const;
  // How long the client has to wait by its rate limit; 0 = it may ask now, and has.
  std::int64_t wait_ns(const ::grpc::ServerContext& context, std::int64_t now_ns) const;

  Sources sources;
  std::atomic<bool> is_ready = true;
  std::atomic<bool> is_draining = false;
};

// What one server of the library answers.
struct Services {
  InferService infer;
  ::grpc::AsyncGenericService others;
};

constexpr std::string_view too_many_requests =
    "too many requests from this client (rate_limit); wait as long as the metadata retry-after "
    "says";

// Written by one thread, read by anyone.
struct WorkerCounts {
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> rate_limited{0};
  std::atomic<std::uint64_t> exhausted{0};
  std::atomic<std::uint64_t> unavailable{0};

  // Counts an answer if it is one that asks the client to come later.
  void count_refusal(::grpc::StatusCode status, bool is_rate_limited);
};

// Everything but post() and the counts belongs to its own thread.
class Worker {
 public:
  Worker(Shared& shared, Services& services, std::unique_ptr<::grpc::ServerCompletionQueue> queue);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run();
  // Streams are told that the server is not ready any more.
  void say_not_ready();
  // The streams that wait for a message end; the others do so after the one that they have.
  void drain();
  // After the server has shut down: no event is left behind, what is posted later is dropped.
  void stop();

  // Fires the event on this thread soon; false when the worker has stopped. The alarm and the event
  // are used once at a time. Thread-safe.
  bool post(::grpc::Alarm& alarm, Event& event);

  Shared& shared() { return shared_; }
  Services& services() { return services_; }
  ::grpc::ServerCompletionQueue& queue() { return *queue_; }
  WorkerCounts& counts() { return counts_; }

  // Takes one more call of the kind.
  void take_infer();
  void take_stream();
  void recycle(InferCall& call);
  void remove(Stream& stream);

 private:
  void serve();
  void tell_streams(bool ok);

  Shared& shared_;
  Services& services_;
  std::unique_ptr<::grpc::ServerCompletionQueue> queue_;
  WorkerCounts counts_;
  std::vector<std::unique_ptr<InferCall>> calls_;
  std::vector<InferCall*> spare_;
  std::unordered_set<Stream*> streams_;
  std::mutex mutex_;  // Guards is_open_ and alarms being set.
  bool is_open_ = true;
  ::grpc::Alarm not_ready_alarm_;
  ::grpc::Alarm drain_alarm_;
  EventOf<Worker, &Worker::tell_streams> told_{*this};
  std::thread thread_;
};

}  // namespace weir::grpc
