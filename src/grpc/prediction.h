#pragma once

#include <string>
#include <string_view>

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include "grpc/worker.h"

namespace weir::grpc {

// A prediction that came in as a ModelInferRequest message. Its owner says where answers go.
class Prediction : public serve::Call {
 public:
  explicit Prediction(Worker& worker) : worker_(worker) {}

  // Starts with a message that has arrived whole, for a client whose turn it is.
  void begin(const ::grpc::ServerContext& context, ::grpc::ByteBuffer& message);

  Result<void> decode() override;
  void complete() override;
  bool is_abandoned() const override { return is_abandoned_; }
  std::string_view metadata(std::string_view name) const override;

  // The client has gone. It may be answered before this returns.
  void abandon();

 protected:
  // The answer as a ModelInferResponse message.
  Result<void> encode(std::string& message);
  // Counts the answer and logs it.
  void note(::grpc::StatusCode outcome, std::size_t answer_bytes);
  // How long the client's rate limit wants it to wait; 0 = it does not.
  std::int64_t wait_ns() const { return wait_ns_; }
  virtual std::string_view path() const = 0;
  Worker& worker() { return worker_; }

 private:
  Result<void> read_name();
  void resume(bool ok);

  Worker& worker_;
  const ::grpc::ServerContext* context_ = nullptr;
  ::grpc::Slice bytes_;
  bool is_abandoned_ = false;
  std::int64_t wait_ns_ = 0;
  ::grpc::Alarm alarm_;
  EventOf<Prediction, &Prediction::resume> resumed_{*this};
};

// A message as one run of bytes, without a copy when it already is one.
::grpc::Slice to_slice(::grpc::ByteBuffer& message);
inline std::string_view view(const ::grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}
// Takes the bytes of a large message instead of copying them.
::grpc::Slice take_slice(std::string& bytes);

}  // namespace weir::grpc
