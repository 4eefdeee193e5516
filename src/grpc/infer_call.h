#pragma once

#include <optional>

#include <grpcpp/support/async_unary_call.h>

#include "grpc/prediction.h"

namespace weir::grpc {

// A ModelInfer call, from waiting for a client to the answer; then it waits again.
class InferCall final : public Prediction {
 public:
  explicit InferCall(Worker& worker) : Prediction(worker) {}

  // Waits for the next client.
  void wait();

  void answer() override;
  void refuse(const Error& error) override;

 protected:
  std::string_view path() const override { return "/inference.GRPCInferenceService/ModelInfer"; }

 private:
  using Writer = ::grpc::ServerAsyncResponseWriter<::grpc::ByteBuffer>;

  void arrive(bool ok);
  void finish(bool ok);
  void end(bool ok);
  void leave();

  std::optional<::grpc::ServerContext> context_;
  std::optional<Writer> writer_;
  ::grpc::ByteBuffer message_;
  std::string body_;
  int events_left_ = 0;  // Of an answered call: both of them come before it is used again.
  EventOf<InferCall, &InferCall::arrive> arrived_{*this};
  EventOf<InferCall, &InferCall::finish> finished_{*this};
  EventOf<InferCall, &InferCall::end> ended_{*this};
};

}  // namespace weir::grpc
