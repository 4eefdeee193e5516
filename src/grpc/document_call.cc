#include <algorithm>
#include <string>

#include <grpcpp/alarm.h>

#include "grpc/documents.h"
#include "grpc/prediction.h"
#include "grpc/stream.h"

// A call with one message in and one out.

namespace weir::grpc {
namespace {

class DocumentCall final : public Conversation {
 public:
  DocumentCall(const Method& method, Stream& stream) : method_(method), stream_(stream) {}

  void on_message(::grpc::ByteBuffer& message) override {
    const ::grpc::Slice slice = to_slice(message);
    if (!method_.is_slow) {
      status_ = method_.answer(shared(), view(slice), answer_);
      send();
      return;
    }
    stream_.hold();
    const bool is_queued = shared().sources.background.post([this, slice] {
      status_ = method_.answer(shared(), view(slice), answer_);
      stream_.worker().post(alarm_, done_);
    });
    if (is_queued) return;
    stream_.finish(
        {::grpc::StatusCode::RESOURCE_EXHAUSTED,
         "too many slow control requests are waiting; try again later"}
    );
    stream_.release();
  }

  void on_last_message(Stream& stream) override {
    stream.finish({::grpc::StatusCode::INVALID_ARGUMENT, "the call has no request message"});
  }

  // It is answered before the server stops.
  void on_told(Stream&) override {}

 private:
  Shared& shared() { return stream_.worker().shared(); }

  void send() {
    if (status_.ok()) {
      stream_.write_last(answer_);
    } else {
      stream_.finish(status_);
    }
  }

  void take_done(bool) {
    send();
    stream_.release();
  }

  const Method& method_;
  Stream& stream_;
  ::grpc::Status status_;
  std::string answer_;
  ::grpc::Alarm alarm_;
  EventOf<DocumentCall, &DocumentCall::take_done> done_{*this};
};

constexpr Method health_check{"/grpc.health.v1.Health/Check", check_health, false};

}  // namespace

const Method* find_method(std::string_view name) {
  if (name == health_check.name) return &health_check;
  const std::vector<Method>& methods = inference_methods();
  const auto found = std::ranges::find(methods, name, &Method::name);
  return found == methods.end() ? nullptr : &*found;
}

std::unique_ptr<Conversation> make_document(std::string_view method, Stream& stream) {
  const Method* const found = find_method(method);
  if (found == nullptr) return nullptr;
  return std::make_unique<DocumentCall>(*found, stream);
}

}  // namespace weir::grpc
