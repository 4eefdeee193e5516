#include "grpc/prediction.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "grpc/head.h"
#include "protocol/v2_protobuf.h"

namespace weir::grpc {
namespace {

// Larger answers are handed to the library instead of being copied.
constexpr std::size_t max_copied_bytes = 16 * 1024;

// 0 = none.
Moment deadline_of(const ::grpc::ServerContext& context) {
  const gpr_timespec given = context.raw_deadline();
  if (gpr_time_cmp(given, gpr_inf_future(given.clock_type)) == 0) return 0;
  const gpr_timespec time = gpr_convert_clock_type(given, GPR_CLOCK_REALTIME);
  return time.tv_sec * us_per_second + time.tv_nsec / 1000;
}

}  // namespace

::grpc::Slice to_slice(::grpc::ByteBuffer& message) {
  ::grpc::Slice slice;
  if (message.TrySingleSlice(&slice).ok() || message.DumpToSingleSlice(&slice).ok()) return slice;
  return {};
}

::grpc::Slice take_slice(std::string& bytes) {
  if (bytes.size() <= max_copied_bytes) return {bytes.data(), bytes.size()};
  auto* const owned = new std::string(std::move(bytes));
  bytes = std::string();
  return {
      owned->data(),
      owned->size(),
      [](void* text) { delete static_cast<std::string*>(text); },
      owned};
}

void Prediction::begin(const ::grpc::ServerContext& context, ::grpc::ByteBuffer& message) {
  clear_way();
  received_ns = monotonic_ns();
  arrived = now_us();
  context_ = &context;
  pinned.reset();
  is_abandoned_ = false;
  traceparent = traceparent_of(context);
  tracestate = traceparent.empty() ? std::string_view() : metadata("tracestate");
  bytes_ = to_slice(message);
  wait_ns_ = worker_.shared().wait_ns(context, received_ns);
  if (wait_ns_ > 0) {
    refuse({Code::exhausted, std::string(too_many_requests)});
    return;
  }
  if (const Result<void> named = read_name(); !named) {
    refuse(named.error());
    return;
  }
  worker_.shared().sources.predictor.start(*this);
}

void Prediction::abandon() {
  is_abandoned_ = true;
  worker_.shared().sources.predictor.abandon(*this);
}

Result<void> Prediction::read_name() {
  const auto model = TRY(protocol::read_model_name(view(bytes_), worker_.shared().sources.decode));
  endpoint = model.name;
  if (model.version.empty()) return {};
  return pin(model.version);
}

Result<void> Prediction::decode() {
  TRY(protocol::decode_infer_request(view(bytes_), worker_.shared().sources.decode, request));
  deadline = deadline_of(*context_);
  if (request.timeout_us) {
    const Moment own = arrived + *request.timeout_us;
    deadline = deadline == 0 ? own : std::min(deadline, own);
  }
  return {};
}

Result<void> Prediction::encode(std::string& message) {
  return protocol::encode_infer_response(response, message);
}

void Prediction::complete() {
  worker_.post(alarm_, resumed_);
}

void Prediction::resume(bool) {
  worker_.shared().sources.predictor.resume(*this);
}

std::string_view Prediction::metadata(std::string_view name) const {
  return metadata_of(*context_, name);
}

void Prediction::note(::grpc::StatusCode outcome, std::size_t answer_bytes) {
  worker_.counts().count_refusal(outcome, wait_ns_ > 0);
  log_answer(
      worker_.shared().sources.access_log,
      *context_,
      {.path = path(),
       .status = outcome,
       .request_bytes = bytes_.size(),
       .answer_bytes = answer_bytes,
       .received_ns = received_ns,
       .id = id}
  );
}

}  // namespace weir::grpc
