#pragma once

#include <string>

#include "http/server.h"
#include "protocol/v2.h"
#include "serve/predictor.h"

namespace weir::http {

// A prediction that came in over HTTP. Lives with its connection and is used for one request after
// the other.
class PredictCall final : public serve::Call {
 public:
  PredictCall(serve::Predictor& predictor, const protocol::DecodeOptions& options)
      : predictor_(predictor), options_(options) {}

  // The call that belongs to the exchange's connection.
  static PredictCall& of(
      Exchange& exchange, serve::Predictor& predictor, const protocol::DecodeOptions& options
  );

  // The same, if there is one.
  static PredictCall* in(Exchange& exchange) {
    return static_cast<PredictCall*>(exchange.scratch().get());
  }

  // Makes it ready for a request to this endpoint. `encoded_name` is percent-encoded.
  Result<void> begin(Exchange& exchange, std::string_view encoded_name, std::string_view version);

  Result<void> decode() override;
  void answer() override;
  void refuse(const Error& error) override;
  void complete() override;
  bool is_abandoned() const override { return !exchange_->is_connected(); }
  std::string_view metadata(std::string_view name) const override;

 private:
  serve::Predictor& predictor_;
  const protocol::DecodeOptions& options_;
  Exchange* exchange_ = nullptr;
  std::string name_;  // Decoded, where that makes a difference.
  std::string body_;
};

}  // namespace weir::http
