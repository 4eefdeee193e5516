#include "grpc/stream.h"

#include "base/clock.h"
#include "grpc/head.h"
#include "grpc/prediction.h"

namespace weir::grpc {
namespace {

// What is said of one model, as the paths below /v2/models/ of HTTP. Predictions of a stream are
// counted one by one.
bool is_limited(std::string_view method) {
  return method.starts_with("/inference.GRPCInferenceService/Model") &&
         !method.ends_with("/ModelStreamInfer");
}

}  // namespace

void Conversation::on_last_message(Stream& stream) {
  stream.finish(::grpc::Status::OK);
}

void Conversation::on_written(Stream& stream) {
  if (stream.worker().shared().is_draining) {
    stream.finish_for_drain();
  } else {
    stream.read();
  }
}

void Conversation::on_told(Stream& stream) {
  if (stream.worker().shared().is_draining && stream.is_reading()) stream.finish_for_drain();
}

void Stream::wait() {
  context_.AsyncNotifyWhenDone(&ended_);
  worker_.services().others.RequestCall(
      &context_, &stream_, &worker_.queue(), &worker_.queue(), &arrived_
  );
}

void Stream::arrive(bool ok) {
  if (!ok) {
    worker_.remove(*this);  // The server is shutting down.
    return;
  }
  worker_.take_stream();
  WorkerCounts& counts = worker_.counts();
  counts.total.fetch_add(1, std::memory_order_relaxed);
  counts.open.fetch_add(1, std::memory_order_relaxed);
  received_ns_ = monotonic_ns();
  events_left_ = 1;
  return_request_id(context_);
  conversation_ = make_conversation(context_.method(), *this);
  if (conversation_ == nullptr) {
    finish({::grpc::StatusCode::UNIMPLEMENTED, "unknown method '" + context_.method() + "'"});
    return;
  }
  const bool is_health = context_.method().starts_with("/grpc.health.");
  const ::grpc::Status status =
      is_health ? ::grpc::Status::OK : worker_.shared().authorise(context_);
  if (!status.ok()) {
    finish(status);
    return;
  }
  if (is_limited(context_.method())) wait_ns_ = worker_.shared().wait_ns(context_, received_ns_);
  if (wait_ns_ > 0) {
    finish({::grpc::StatusCode::RESOURCE_EXHAUSTED, std::string(too_many_requests)});
    return;
  }
  read();
}

void Stream::read() {
  if (is_finishing_) return;
  is_reading_ = true;
  ++events_left_;
  message_.Clear();
  stream_.Read(&message_, &read_);
}

void Stream::write(::grpc::ByteBuffer message) {
  ++events_left_;
  stream_.Write(message, &written_);
}

void Stream::write_last(std::string_view message) {
  is_finishing_ = true;
  ++events_left_;
  note(::grpc::StatusCode::OK, message.size());
  ::grpc::Slice slice(message.data(), message.size());
  stream_.WriteAndFinish(
      ::grpc::ByteBuffer(&slice, 1), ::grpc::WriteOptions(), ::grpc::Status::OK, &finished_
  );
}

void Stream::finish(const ::grpc::Status& status) {
  if (is_finishing_) return;
  note(status.error_code(), 0);
  tell_when_to_retry(context_, status.error_code(), wait_ns_);
  end(status);
}

void Stream::end(const ::grpc::Status& status) {
  if (is_finishing_) return;
  is_finishing_ = true;
  ++events_left_;
  stream_.Finish(status, &finished_);
}

void Stream::finish_for_drain() {
  finish({::grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
}

void Stream::note(::grpc::StatusCode status, std::size_t answer_bytes) {
  worker_.counts().count_refusal(status, wait_ns_ > 0);
  log_answer(
      worker_.shared().sources.access_log,
      context_,
      {.path = path(),
       .status = status,
       .request_bytes = request_bytes_,
       .answer_bytes = answer_bytes,
       .received_ns = received_ns_}
  );
}

void Stream::tell() {
  if (conversation_ != nullptr) conversation_->on_told(*this);
}

void Stream::take_message(bool ok) {
  is_reading_ = false;
  if (is_finishing_) {
    // Ended meanwhile.
  } else if (ok) {
    request_bytes_ = message_.Length();
    conversation_->on_message(message_);
  } else {
    conversation_->on_last_message(*this);
  }
  leave();
}

void Stream::take_written(bool ok) {
  if (ok) {
    conversation_->on_written(*this);
  } else {
    finish(::grpc::Status::CANCELLED);
  }
  leave();
}

void Stream::take_finished(bool) {
  leave();
}

void Stream::take_end(bool) {
  if (context_.IsCancelled()) {
    is_cancelled_ = true;
    worker_.counts().cancelled.fetch_add(1, std::memory_order_relaxed);
    if (conversation_ != nullptr) conversation_->on_cancelled(*this);
  }
  leave();
}

void Stream::leave() {
  if (--events_left_ > 0) return;
  worker_.counts().open.fetch_sub(1, std::memory_order_relaxed);
  worker_.remove(*this);
}

std::unique_ptr<Conversation> make_conversation(std::string_view method, Stream& stream) {
  if (method == "/inference.GRPCInferenceService/ModelStreamInfer") {
    return make_infer_stream(stream);
  }
  if (method == "/grpc.health.v1.Health/Watch") return make_health_watch(stream);
  if (method.ends_with(".ServerReflection/ServerReflectionInfo")) return make_reflection(stream);
  return make_document(method, stream);
}

}  // namespace weir::grpc
