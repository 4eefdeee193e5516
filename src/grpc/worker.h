#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
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

  Sources sources;
  InferService infer;
  ::grpc::AsyncGenericService others;
  std::atomic<bool> is_draining = false;
};

// Written by one thread, read by anyone.
struct WorkerCounts {
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> open{0};
};

// Everything but post() and the counts belongs to its own thread.
class Worker {
 public:
  Worker(Shared& shared, std::unique_ptr<::grpc::ServerCompletionQueue> queue);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run();
  // The streams that wait for a message end; the others do so after the one that they have.
  void drain();
  // After the server has shut down: no event is left behind, what is posted later is dropped.
  void stop();

  // Fires the event on this thread soon; false when the worker has stopped. The alarm and the event
  // are used once at a time. Thread-safe.
  bool post(::grpc::Alarm& alarm, Event& event);

  Shared& shared() { return shared_; }
  ::grpc::ServerCompletionQueue& queue() { return *queue_; }
  WorkerCounts& counts() { return counts_; }

  // Takes one more call of the kind.
  void take_infer();
  void take_stream();
  void recycle(InferCall& call);
  void remove(Stream& stream);

 private:
  void serve();
  void drain_streams(bool ok);

  Shared& shared_;
  std::unique_ptr<::grpc::ServerCompletionQueue> queue_;
  WorkerCounts counts_;
  std::vector<std::unique_ptr<InferCall>> calls_;
  std::vector<InferCall*> spare_;
  std::unordered_set<Stream*> streams_;
  std::mutex mutex_;  // Guards is_open_ and alarms being set.
  bool is_open_ = true;
  ::grpc::Alarm drain_alarm_;
  EventOf<Worker, &Worker::drain_streams> drain_event_{*this};
  std::thread thread_;
};

}  // namespace weir::grpc
