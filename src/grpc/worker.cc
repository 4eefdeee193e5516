#include "grpc/worker.h"

#include <utility>

#include <grpcpp/impl/codegen/rpc_service_method.h>

#include "base/check.h"
#include "base/secret.h"
#include "grpc/head.h"
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
  if (is_bearer_of(metadata_of(context, "authorization"), sources.token)) {
    return ::grpc::Status::OK;
  }
  return {
      ::grpc::StatusCode::UNAUTHENTICATED,
      "a token is wanted: send the metadata 'authorization: Bearer TOKEN'"};
}

std::int64_t Shared::wait_ns(const ::grpc::ServerContext& context, std::int64_t now_ns) const {
  if (sources.rate_limit == nullptr) return 0;
  const std::string_view name = serve::client_header(sources.rate_limit->options());
  const std::string_view given = name.empty() ? std::string_view() : metadata_of(context, name);
  if (!given.empty()) return sources.rate_limit->wait_ns(given, now_ns).value_or(0);
  const std::string peer = peer_of(context);
  const std::string_view address = std::string_view(peer).substr(0, peer.rfind(':'));
  return sources.rate_limit->wait_ns(address, now_ns).value_or(0);
}

void WorkerCounts::count_refusal(::grpc::StatusCode status, bool is_rate_limited) {
  if (is_rate_limited) {
    rate_limited.fetch_add(1, std::memory_order_relaxed);
  } else if (status == ::grpc::StatusCode::RESOURCE_EXHAUSTED) {
    exhausted.fetch_add(1, std::memory_order_relaxed);
  } else if (status == ::grpc::StatusCode::UNAVAILABLE) {
    unavailable.fetch_add(1, std::memory_order_relaxed);
  }
}

Worker::Worker(
    Shared& shared, Services& services, std::unique_ptr<::grpc::ServerCompletionQueue> queue
)
    : shared_(shared), services_(services), queue_(std::move(queue)) {}

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

void Worker::say_not_ready() {
  post(not_ready_alarm_, told_);
}

void Worker::drain() {
  post(drain_alarm_, told_);
}

void Worker::tell_streams(bool) {
  const std::vector<Stream*> streams(streams_.begin(), streams_.end());
  for (Stream* const stream : streams) stream->tell();
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
