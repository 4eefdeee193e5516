#include "http/predict_call.h"

#include "http/respond.h"
#include "http/url.h"

namespace weir::http {
namespace {

constexpr std::string_view length_header = "inference-header-content-length";

// Answers up to this size keep their memory for the next one on the connection.
constexpr std::size_t max_kept_body_bytes = 256 * 1024;

}  // namespace

PredictCall& PredictCall::of(
    Exchange& exchange, serve::Predictor& predictor, const protocol::DecodeOptions& options
) {
  std::shared_ptr<void>& scratch = exchange.scratch();
  if (!scratch) scratch = std::make_shared<PredictCall>(predictor, options);
  return *in(exchange);
}

Result<void> PredictCall::begin(
    Exchange& exchange, std::string_view encoded_name, std::string_view version
) {
  clear_way();
  exchange_ = &exchange;
  endpoint = encoded_name;
  if (encoded_name.find('%') != std::string_view::npos) {
    name_ = TRY(percent_decode(encoded_name));
    endpoint = name_;
  }
  pinned.reset();
  if (!version.empty()) TRY(pin(version));
  const Request& http = exchange.request();
  outer_id = http.id;
  traceparent = http.traceparent;
  tracestate = traceparent.empty() ? std::string_view() : http.header("tracestate");
  received_ns = http.received_ns;
  is_behind = http.is_behind;
  arrived = now_us();
  return {};
}

Result<void> PredictCall::decode() {
  const Request& http = exchange_->request();
  std::optional<std::string_view> header_length;
  if (const std::string_view value = http.header(length_header); !value.empty()) {
    header_length = value;
  }
  TRY(protocol::decode_v2(http.body, header_length, options_, request));
  if (request.timeout_us && *request.timeout_us > 0) deadline = arrived + *request.timeout_us;
  return {};
}

void PredictCall::answer() {
  body_.clear();
  exchange_->set_id(id);
  const auto encoded = protocol::encode_v2(response, body_);
  if (!encoded) {
    refuse(encoded.error());
    return;
  }
  if (encoded->is_binary) {
    const std::string header =
        fmt::format("Inference-Header-Content-Length: {}\r\n", encoded->json_bytes);
    exchange_->respond(200, "application/octet-stream", body_, header);
  } else {
    exchange_->respond(200, "application/json", body_);
  }
  if (body_.capacity() > max_kept_body_bytes) std::string().swap(body_);
}

void PredictCall::refuse(const Error& error) {
  exchange_->set_id(id);
  respond_error(*exchange_, error);
}

void PredictCall::complete() {
  exchange_->loop().post([this] { predictor_.resume(*this); });
}

std::string_view PredictCall::metadata(std::string_view name) const {
  return exchange_->request().header(name);
}

}  // namespace weir::http
