#pragma once

#include <grpcpp/support/status.h>

#include "base/result.h"

namespace weir::grpc {

// The one table that turns our error codes into those of gRPC.
::grpc::StatusCode status_code(Code code);
::grpc::Status to_status(const Error& error);

}  // namespace weir::grpc
