#include "grpc/worker.h"

#include <utility>

#include <grpcpp/impl/codegen/rpc_service_method.h>

#include "base/check.h"
#include "base/secret.h"
#include "grpc/infer_call.h"
#include "grpc/stream.h"

namespace weir::grpc {
namespace {

// How many calls wait for a client beforehand, so that a burst is taken in one turn.
constexpr int waiting_calls = 16;

}  // namespace

InferService::InferService() {
  using ::grpc::internal::RpcMethod;
  using ::grpc::internal::RpcServiceMethod;
  AddMethod(new RpcServiceMethod(
      "/inference.GRPCInferenceService/ModelInfer", RpcMethod::NORMAL_RPC, nullptr
  ));
  MarkMethodRaw(0);
}

void InferService::request(
    ::grpc::ServerContext& context,
    ::grpc::ByteBuffer& message,
    ::grpc::ServerAsyncResponseWriter<::grpc::ByteBuffer>& writer,
    ::grpc::ServerCompletionQueue& queue,
    Event& arrived
) {
  RequestAsyncUnary(0, &context, &message, &writer, &queue, &queue, &arrived);
}

::grpc::Status Shared::authorise(const ::grpc::ServerContext& context) const {
  if (sources.token.empty()) return ::grpc::Status::OK;
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found != metadata.end() &&
      is_bearer_of({found->second.data(), found->second.size()}, sources.token)) {
    return ::grpc::Status::OK;
  }
  return {
      ::grpc::StatusCode::UNAUTHENTICATED,
      "a token is wanted: send the metadata 'authorization: Bearer TOKEN'"};
}

Worker::Worker(Shared& shared, std::unique_ptr<::grpc::ServerCompletionQueue> queue)
    : shared_(shared), queue_(std::move(queue)) {}

Worker::~Worker() {
  for (Stream* const stream : streams_) delete stream;
}

void Worker::run() {
  for (int i = 0; i < waiting_calls; ++i) take_infer();
  take_stream();
  thread_ = std::thread([this] { serve(); });
}

void Worker::serve() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Event*>(tag)->fire(ok);
}

void Worker::take_infer() {
  if (spare_.empty()) {
    calls_.push_back(std::make_unique<InferCall>(*this));
    spare_.push_back(calls_.back().get());
  }
  InferCall& call = *spare_.back();
  spare_.pop_back();
  call.wait();
}

void Worker::take_stream() {
  auto stream = std::make_unique<Stream>(*this);
  stream->wait();
  streams_.insert(stream.release());
}

void Worker::recycle(InferCall& call) {
  spare_.push_back(&call);
}

void Worker::remove(Stream& stream) {
  streams_.erase(&stream);
  delete &stream;
}

bool Worker::post(::grpc::Alarm& alarm, Event& event) {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return false;
  alarm.Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC), &event);
  return true;
}

void Worker::drain() {
  post(drain_alarm_, drain_event_);
}

void Worker::drain_streams(bool) {
  const std::vector<Stream*> streams(streams_.begin(), streams_.end());
  for (Stream* const stream : streams) stream->drain();
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
  }
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    serve();
  }
}

}  // namespace weir::grpc
