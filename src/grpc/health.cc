#include <string>

#include <health.pb.h>

#include "grpc/documents.h"
#include "grpc/prediction.h"
#include "grpc/stream.h"

// grpc.health.v1: the whole server (no name) and the inference service.

namespace weir::grpc {
namespace {

using HealthRequest = ::grpc::health::v1::HealthCheckRequest;
using HealthResponse = ::grpc::health::v1::HealthCheckResponse;

HealthResponse::ServingStatus status_of(const Shared& shared, std::string_view service) {
  if (!service.empty() && service != "inference.GRPCInferenceService") {
    return HealthResponse::SERVICE_UNKNOWN;
  }
  return shared.is_ready ? HealthResponse::SERVING : HealthResponse::NOT_SERVING;
}

std::string to_message(HealthResponse::ServingStatus status) {
  HealthResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

bool parse(std::string_view message, HealthRequest& request) {
  return request.ParseFromArray(message.data(), static_cast<int>(message.size()));
}

constexpr char unreadable[] = "the request is not a readable HealthCheckRequest message";

// Says the status, and says it again when it changes, which it does before the server stops.
class HealthWatch final : public Conversation {
 public:
  explicit HealthWatch(Stream& stream) : stream_(stream) {}

  void on_message(::grpc::ByteBuffer& message) override {
    HealthRequest request;
    if (!parse(view(to_slice(message)), request)) {
      stream_.finish({::grpc::StatusCode::INVALID_ARGUMENT, unreadable});
      return;
    }
    service_ = request.service();
    is_watching_ = true;
    tell();
  }

  void on_written(Stream& stream) override {
    is_writing_ = false;
    if (stream.is_cancelled()) {
      stream.finish(::grpc::Status::CANCELLED);
    } else {
      on_told(stream);
    }
  }

  void on_cancelled(Stream& stream) override {
    if (!is_writing_) stream.finish(::grpc::Status::CANCELLED);
  }

  void on_told(Stream& stream) override {
    if (!is_watching_ || is_writing_) return;
    const Shared& shared = stream.worker().shared();
    if (!shared.is_ready && !has_said_so_) {
      tell();
    } else if (shared.is_draining) {
      stream.finish_for_drain();
    }
  }

 private:
  void tell() {
    has_said_so_ = !stream_.worker().shared().is_ready;
    is_writing_ = true;
    const std::string message = to_message(status_of(stream_.worker().shared(), service_));
    ::grpc::Slice slice(message);
    stream_.write(::grpc::ByteBuffer(&slice, 1));
  }

  Stream& stream_;
  std::string service_;
  bool is_watching_ = false;
  bool is_writing_ = false;
  bool has_said_so_ = false;  // That the server is not ready any more.
};

}  // namespace

::grpc::Status check_health(Shared& shared, std::string_view message, std::string& answer) {
  HealthRequest request;
  if (!parse(message, request)) return {::grpc::StatusCode::INVALID_ARGUMENT, unreadable};
  const HealthResponse::ServingStatus status = status_of(shared, request.service());
  if (status == HealthResponse::SERVICE_UNKNOWN) {
    return {::grpc::StatusCode::NOT_FOUND, "unknown service '" + request.service() + "'"};
  }
  answer = to_message(status);
  return ::grpc::Status::OK;
}

std::unique_ptr<Conversation> make_health_watch(Stream& stream) {
  return std::make_unique<HealthWatch>(stream);
}

}  // namespace weir::grpc
