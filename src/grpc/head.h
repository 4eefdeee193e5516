#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "http/access_log.h"

// What comes with a call beside its messages, and what is said about its answer.

namespace weir::grpc {

// A metadata entry by name, any letter case; empty when absent. Lives as long as the context.
std::string_view metadata_of(const ::grpc::ServerContext& context, std::string_view name);

// "127.0.0.1:51234", "[::1]:51234"
std::string peer_of(const ::grpc::ServerContext& context);

// As over HTTP: x-request-id, else ce-id, where it is well-formed; or empty.
std::string_view request_id_of(const ::grpc::ServerContext& context);
// W3C trace context where it is valid; or empty.
std::string_view traceparent_of(const ::grpc::ServerContext& context);

// The client's own id of the call goes back to it.
void return_request_id(::grpc::ServerContext& context);

// Where trying again later may help, says when. `wait_ns` is what a rate limit says; 0 = none does.
void tell_when_to_retry(
    ::grpc::ServerContext& context, ::grpc::StatusCode status, std::int64_t wait_ns
);

// An answer, for the access log; borrowed.
struct Answered {
  std::string_view path;  // "/package.Service/Method"
  ::grpc::StatusCode status = ::grpc::StatusCode::OK;
  std::size_t request_bytes = 0;
  std::size_t answer_bytes = 0;
  std::int64_t received_ns = 0;
  std::string_view id;  // Of the record; empty = there is none.
};
// `log` is null where it is off.
void log_answer(
    http::AccessLog* log, const ::grpc::ServerContext& context, const Answered& answered
);

}  // namespace weir::grpc
