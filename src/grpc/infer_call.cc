#include "grpc/infer_call.h"

#include "grpc/status.h"

namespace weir::grpc {

void InferCall::wait() {
  writer_.reset();
  context_.emplace();
  writer_.emplace(&*context_);
  context_->AsyncNotifyWhenDone(&ended_);
  worker().shared().infer.request(*context_, message_, *writer_, worker().queue(), arrived_);
}

void InferCall::arrive(bool ok) {
  if (!ok) return;  // The server is shutting down.
  worker().take_infer();
  WorkerCounts& counts = worker().counts();
  counts.total.fetch_add(1, std::memory_order_relaxed);
  counts.open.fetch_add(1, std::memory_order_relaxed);
  events_left_ = 2;
  const ::grpc::Status allowed = worker().shared().authorise(*context_);
  if (allowed.ok()) {
    begin(*context_, message_);
  } else {
    writer_->FinishWithError(allowed, &finished_);
  }
}

void InferCall::answer() {
  body_.clear();
  if (const Result<void> encoded = encode(body_); !encoded) {
    refuse(encoded.error());
    return;
  }
  ::grpc::Slice slice = take_slice(body_);
  writer_->Finish(::grpc::ByteBuffer(&slice, 1), ::grpc::Status::OK, &finished_);
}

void InferCall::refuse(const Error& error) {
  writer_->FinishWithError(to_status(error), &finished_);
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
