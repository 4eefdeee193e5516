#include "grpc/infer_call.h"

#include "base/clock.h"
#include "grpc/head.h"
#include "grpc/status.h"

namespace weir::grpc {

void InferCall::wait() {
  writer_.reset();
  context_.emplace();
  writer_.emplace(&*context_);
  context_->AsyncNotifyWhenDone(&ended_);
  worker().services().infer.request(*context_, message_, *writer_, worker().queue(), arrived_);
}

void InferCall::arrive(bool ok) {
  if (!ok) return;  // The server is shutting down.
  worker().take_infer();
  WorkerCounts& counts = worker().counts();
  counts.total.fetch_add(1, std::memory_order_relaxed);
  counts.open.fetch_add(1, std::memory_order_relaxed);
  events_left_ = 2;
  const ::grpc::Status allowed = worker().shared().authorise(*context_);
  if (!allowed.ok()) {
    log_answer(
        worker().shared().sources.access_log,
        *context_,
        {.path = path(),
         .status = allowed.error_code(),
         .request_bytes = message_.Length(),
         .received_ns = monotonic_ns()}
    );
    writer_->FinishWithError(allowed, &finished_);
    return;
  }
  return_request_id(*context_);
  outer_id = request_id_of(*context_);
  begin(*context_, message_);
}

void InferCall::answer() {
  body_.clear();
  if (const Result<void> encoded = encode(body_); !encoded) {
    refuse(encoded.error());
    return;
  }
  note(::grpc::StatusCode::OK, body_.size());
  ::grpc::Slice slice = take_slice(body_);
  writer_->Finish(::grpc::ByteBuffer(&slice, 1), ::grpc::Status::OK, &finished_);
}

void InferCall::refuse(const Error& error) {
  const ::grpc::Status refusal = to_status(error);
  note(refusal.error_code(), 0);
  tell_when_to_retry(*context_, refusal.error_code(), wait_ns());
  writer_->FinishWithError(refusal, &finished_);
}

void InferCall::finish(bool) {
  leave();
}

void InferCall::end(bool) {
  if (context_->IsCancelled()) {
    abandon();
    worker().counts().cancelled.fetch_add(1, std::memory_order_relaxed);
  }
  leave();
}

void InferCall::leave() {
  if (--events_left_ > 0) return;
  worker().counts().open.fetch_sub(1, std::memory_order_relaxed);
  message_.Clear();
  worker().recycle(*this);
}

}  // namespace weir::grpc
