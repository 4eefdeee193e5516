#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/support/status.h>

#include "grpc/worker.h"

// The calls besides predictions: each takes one message and gives one.

namespace weir::grpc {

// Reads the request message and writes the answer's, both serialized.
using Answer = ::grpc::Status (*)(Shared& shared, std::string_view message, std::string& answer);

struct Method {
  std::string_view name;  // "/package.Service/Method"
  Answer answer = nullptr;
  bool is_slow = false;  // Runs on the background queue.
};
const Method* find_method(std::string_view name);

// In package inference.
const std::vector<Method>& inference_methods();
// grpc.health.v1.Health/Check
::grpc::Status check_health(Shared& shared, std::string_view message, std::string& answer);

}  // namespace weir::grpc
