#include "grpc/head.h"
#include "grpc/prediction.h"
#include "grpc/status.h"
#include "grpc/stream.h"
#include "protocol/wire.h"

// ModelStreamInfer: one prediction after the other, answered in order.

namespace weir::grpc {
namespace {

// Field numbers of ModelStreamInferResponse and of the id in a ModelInferResponse.
constexpr std::uint32_t field_error_message = 1;
constexpr std::uint32_t field_infer_response = 2;
constexpr std::uint32_t field_id = 3;

// A client that sets this metadata entry wants errors as the status of the call, which ends it.
constexpr std::string_view grpc_error_header = "triton_grpc_error";

class InferStream final : public Conversation, public Prediction {
 public:
  explicit InferStream(Stream& stream) : Prediction(stream.worker()), stream_(stream) {}

  void on_message(::grpc::ByteBuffer& message) override {
    stream_.hold();
    begin(stream_.context(), message);
  }

  void on_cancelled(Stream&) override { abandon(); }
  // Each of its messages is an answer of its own.
  void on_last_message(Stream& stream) override { stream.end(::grpc::Status::OK); }

  void answer() override {
    body_.clear();
    if (const Result<void> encoded = encode(body_); !encoded) {
      refuse(encoded.error());
      return;
    }
    note(::grpc::StatusCode::OK, body_.size());
    std::string head;
    protocol::WireWriter(head).begin_bytes(field_infer_response, body_.size());
    ::grpc::Slice slices[2] = {{head.data(), head.size()}, take_slice(body_)};
    stream_.write(::grpc::ByteBuffer(slices, 2));
    stream_.release();
  }

  void refuse(const Error& error) override {
    const ::grpc::Status refusal = to_status(error);
    note(refusal.error_code(), 0);
    if (metadata(grpc_error_header) == "true") {
      tell_when_to_retry(stream_.context(), refusal.error_code(), wait_ns());
      stream_.end(refusal);
    } else {
      write_error(error.message);
    }
    stream_.release();
  }

 protected:
  std::string_view path() const override { return stream_.path(); }

 private:
  // The id tells the client which of its requests is meant.
  void write_error(std::string_view message) {
    body_.clear();
    protocol::WireWriter writer(body_);
    writer.bytes(field_error_message, message);
    if (!request.id.empty()) {
      const std::size_t size = 1 + protocol::varint_size(request.id.size()) + request.id.size();
      writer.begin_bytes(field_infer_response, size);
      writer.bytes(field_id, request.id);
    }
    ::grpc::Slice slice = take_slice(body_);
    stream_.write(::grpc::ByteBuffer(&slice, 1));
  }

  Stream& stream_;
  std::string body_;
};

}  // namespace

std::unique_ptr<Conversation> make_infer_stream(Stream& stream) {
  return std::make_unique<InferStream>(stream);
}

}  // namespace weir::grpc
