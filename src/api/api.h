#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/exports.h"
#include "api/views.h"
#include "http/background.h"
#include "http/server.h"
#include "http/v2.h"
#include "table/worker.h"

// Everything that one port answers: the V2 protocol, the control API under /api/v1, and /metrics.

namespace weir::api {

struct ApiOptions {
  // Wanted as `Authorization: Bearer TOKEN` by the control API; empty = no token.
  std::string token;
  bool protect_predictions = false;                // V2 and /metrics want the token too.
  std::uint64_t max_artifact_bytes = 1ULL << 30;   // Body of a deploy.
  std::uint64_t max_feedback_bytes = 16ULL << 20;  // Body of a feedback call.
  std::uint64_t max_document_bytes = 1ULL << 20;   // Any other body of the control API.
  control::FeedbackOptions feedback;
  Moment started_at = 0;
};

// Threads for what takes long, kept apart, so that a rollback waits neither behind SQL nor behind a
// model that is being loaded.
struct Backgrounds {
  http::Background& moves;    // Promote, pause, resume, rollback.
  http::Background& queries;  // What reads or rewrites the ledger.
  http::Background& others;   // Deploy, removal, the parsing of feedback.
};

// The handler of the HTTP server. Thread-safe.
class Api final : public http::Handler {
 public:
  // `worker` answers SQL and exports. Everything must outlive it.
  Api(ApiOptions options,
      Sources sources,
      http::V2& v2,
      Backgrounds backgrounds,
      table::Worker& worker,
      Exports& exports);
  ~Api() override;

  http::Admission admit(const http::Request& head, std::uint64_t declared_bytes) override;
  void handle(http::Exchange& exchange) override;
  void on_lost(http::Exchange& exchange) override;

  // Requests refused because their client sends too many.
  std::uint64_t rate_limited() const { return rate_limited_.load(std::memory_order_relaxed); }

 private:
  struct Route;
  static const std::vector<Route>& routes();

  bool is_authorised(const http::Request& request) const;
  // Nothing when the client may ask.
  std::optional<http::Admission> refuse_too_many(const http::Request& head);
  void handle_control(http::Exchange& exchange);

  void show_openapi(http::Exchange& exchange);
  void show_status(http::Exchange& exchange);
  void list_endpoints(http::Exchange& exchange);
  void show_endpoint(http::Exchange& exchange, const std::string& endpoint);
  void show_rollout(
      http::Exchange& exchange, const std::string& endpoint, const std::string& number
  );
  void show_decisions(http::Exchange& exchange, const std::string& endpoint);
  void deploy(http::Exchange& exchange, const std::string& endpoint);
  void move(http::Exchange& exchange, const std::string& endpoint, const std::string& action);
  void remove_version(
      http::Exchange& exchange, const std::string& endpoint, const std::string& version
  );
  void take_feedback(http::Exchange& exchange, const std::string& endpoint);
  void keep_feedback(
      http::Exchange& exchange, const std::string& endpoint, std::vector<ledger::Feedback> rows
  );
  void run_sql(http::Exchange& exchange);
  void start_export(http::Exchange& exchange);
  void read_export(http::Exchange& exchange, const std::string& id);
  void end_export(http::Exchange& exchange, const std::string& id);
  void erase(http::Exchange& exchange);
  void compact(http::Exchange& exchange);

  // `snapshot` keeps the files until the query is done.
  table::Query make_query(const std::string& sql, ledger::Snapshot& snapshot) const;
  std::vector<std::string> endpoint_names() const;

  ApiOptions options_;
  Sources sources_;
  http::V2& v2_;
  Backgrounds backgrounds_;
  table::Worker& worker_;
  Exports& exports_;
  std::atomic<std::uint64_t> rate_limited_{0};
};

}  // namespace weir::api
