#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/controller.h"
#include "http/background.h"
#include "http/server.h"
#include "protocol/v2.h"
#include "protocol/v2_documents.h"
#include "serve/predictor.h"

// The V2 protocol over REST: finds out what a request wants and hands it on. Predictions go to the
// predictor, everything else is answered from the routes and the controller.

namespace weir::http {

// The parts of a path below /v2/models/. Names may contain '/', so the operation is read from the
// end.
struct ModelPath {
  std::string_view name;       // Still percent-encoded.
  std::string_view version;    // Empty = none named.
  std::string_view operation;  // "infer", "ready", "config", "stats" or "" for the metadata.
};
std::optional<ModelPath> parse_model_path(std::string_view path);

struct V2Options {
  protocol::DecodeOptions decode;
  // Turns false when the server drains: readiness is then 503.
  const std::atomic<bool>* is_accepting = nullptr;
};

// Thread-safe.
class V2 {
 public:
  // Everything must outlive it.
  V2(V2Options options,
     serve::Predictor& predictor,
     serve::Routes& routes,
     control::Controller& controller,
     Background& background);

  // Requires: the path is /v2 or below it.
  void handle(Exchange& exchange);
  // As Handler::on_lost; any exchange.
  void on_lost(Exchange& exchange);

 private:
  void infer(Exchange& exchange, const ModelPath& path);
  void handle_server(Exchange& exchange, std::string_view rest);
  void handle_model(Exchange& exchange, const ModelPath& path);
  void handle_repository(Exchange& exchange, std::string_view rest);
  void load(Exchange& exchange, std::string name);
  Result<void> load(const std::string& name, const protocol::RepositoryRequest& request);
  void unload(Exchange& exchange, std::string name);
  void index(Exchange& exchange);

  V2Options options_;
  serve::Predictor& predictor_;
  serve::Routes& routes_;
  control::Controller& controller_;
  Background& background_;
};

}  // namespace weir::http
