#include "grpc/status.h"

namespace weir::grpc {

::grpc::StatusCode status_code(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return ::grpc::StatusCode::INVALID_ARGUMENT;
    case Code::not_found:
      return ::grpc::StatusCode::NOT_FOUND;
    case Code::conflict:
      return ::grpc::StatusCode::ALREADY_EXISTS;
    case Code::exhausted:
      return ::grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Code::unavailable:
      return ::grpc::StatusCode::UNAVAILABLE;
    case Code::deadline:
      return ::grpc::StatusCode::DEADLINE_EXCEEDED;
    case Code::cancelled:
      return ::grpc::StatusCode::CANCELLED;
    case Code::corrupt:
      return ::grpc::StatusCode::DATA_LOSS;
    case Code::internal:
      return ::grpc::StatusCode::INTERNAL;
  }
  return ::grpc::StatusCode::UNKNOWN;
}

::grpc::Status to_status(const Error& error) {
  return {status_code(error.code), error.message};
}

}  // namespace weir::grpc
