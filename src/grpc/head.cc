#include "grpc/head.h"

#include <algorithm>

#include "base/clock.h"
#include "http/server.h"
#include "protocol/trace_context.h"

namespace weir::grpc {
namespace {

constexpr std::string_view request_id_name = "x-request-id";

// The library writes "ipv6:%5B::1%5D:51234".
std::string without_escapes(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    if (text.starts_with("%5B") || text.starts_with("%5D")) {
      plain += text[2] == 'B' ? '[' : ']';
      text.remove_prefix(3);
    } else {
      plain += text.front();
      text.remove_prefix(1);
    }
  }
  return plain;
}

std::int64_t round_up(std::int64_t ns, std::int64_t unit_ns) {
  return (ns + unit_ns - 1) / unit_ns;
}

}  // namespace

std::string_view metadata_of(const ::grpc::ServerContext& context, std::string_view name) {
  for (const auto& [key, value] : context.client_metadata()) {
    if (http::equals_ignoring_case({key.data(), key.size()}, name)) {
      return {value.data(), value.size()};
    }
  }
  return {};
}

std::string peer_of(const ::grpc::ServerContext& context) {
  const std::string peer = context.peer();
  const std::string_view all = peer;
  return without_escapes(all.substr(all.find(':') + 1));
}

std::string_view request_id_of(const ::grpc::ServerContext& context) {
  for (const std::string_view name : {request_id_name, std::string_view("ce-id")}) {
    const std::string_view value = metadata_of(context, name);
    if (protocol::is_request_id(value)) return value;
  }
  return {};
}

std::string_view traceparent_of(const ::grpc::ServerContext& context) {
  const std::string_view value = metadata_of(context, "traceparent");
  return protocol::is_traceparent(value) ? value : std::string_view();
}

void return_request_id(::grpc::ServerContext& context) {
  const std::string_view id = request_id_of(context);
  if (!id.empty()) context.AddInitialMetadata(std::string(request_id_name), std::string(id));
}

void tell_when_to_retry(
    ::grpc::ServerContext& context, ::grpc::StatusCode status, std::int64_t wait_ns
) {
  if (status != ::grpc::StatusCode::UNAVAILABLE &&
      status != ::grpc::StatusCode::RESOURCE_EXHAUSTED) {
    return;
  }
  constexpr std::int64_t second_ns = 1'000'000'000;
  const std::int64_t wait_s = std::max<std::int64_t>(round_up(wait_ns, second_ns), 1);
  context.AddTrailingMetadata("retry-after", std::to_string(wait_s));
  if (wait_ns == 0) return;
  // A client that tries again by itself obeys this one.
  const std::int64_t wait_ms = round_up(wait_ns, 1'000'000);
  context.AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(wait_ms));
}

void log_answer(
    http::AccessLog* log, const ::grpc::ServerContext& context, const Answered& answered
) {
  constexpr int http_ok = 200;  // The call has a status of its own, behind this one.
  constexpr int http_error = 500;
  const bool is_ok = answered.status == ::grpc::StatusCode::OK;
  if (log == nullptr || !log->wants(is_ok ? http_ok : http_error)) return;
  const std::string peer = peer_of(context);
  log->add(
      {.peer = peer,
       .method = "POST",
       .path = answered.path,
       .status = http_ok,
       .grpc_status = answered.status,
       .request_bytes = answered.request_bytes,
       .answer_bytes = answered.answer_bytes,
       .duration_us = (monotonic_ns() - answered.received_ns) / 1000,
       .id = answered.id.empty() ? request_id_of(context) : answered.id,
       .traceparent = traceparent_of(context)}
  );
}

}  // namespace weir::grpc
