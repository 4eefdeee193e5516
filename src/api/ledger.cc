#include <charconv>

#include <boost/json.hpp>

#include "api/api.h"
#include "api/body.h"
#include "base/hash.h"
#include "http/respond.h"
#include "http/url.h"
#include "ledger/record.h"
#include "ledger/views.h"

// SQL, exports and erasure: what is asked of the ledger.

namespace weir::api {

namespace json = boost::json;
using http::Background;
using http::Exchange;

namespace {

const Error no_ledger{
    Code::unavailable, "this server keeps no ledger (--ledger off), so there is nothing to ask"};

Background::Answer answer_error(Error error) {
  return [error = std::move(error)](Exchange& exchange) { http::respond_error(exchange, error); };
}

Background::Answer answer_json(std::string text) {
  return [text = std::move(text)](Exchange& exchange) { http::respond_json(exchange, 200, text); };
}

}  // namespace

// The views that the query sees: records of a moment ago are flushed first.
table::Query Api::make_query(const std::string& sql, ledger::Snapshot& snapshot) const {
  sources_.recorder.flush();
  snapshot = sources_.ledger->snapshot();
  const std::vector<std::string> names = endpoint_names();
  ledger::SqlViews views = ledger::make_views(snapshot, names, sql);
  return {.setup = std::move(views.setup), .sql = sql, .readable = std::move(views.readable)};
}

void Api::run_sql(Exchange& exchange) {
  auto body = read_sql(exchange.request().body);
  if (!body || sources_.ledger == nullptr) {
    http::respond_error(exchange, body ? no_ledger : body.error());
    return;
  }
  backgrounds_.queries.run(exchange, [this, body = *std::move(body)]() -> Background::Answer {
    ledger::Snapshot snapshot;
    table::Query query = make_query(body.query, snapshot);
    query.max_rows = body.max_rows;
    auto result = worker_.query(query);
    if (!result) return answer_error(result.error());
    json::array columns;
    for (const table::ColumnInfo& column : result->columns) {
      columns.push_back(json::object{{"name", column.name}, {"type", column.type}});
    }
    return answer_json(fmt::format(
        R"({{"columns":{},"rows":{},"row_count":{},"truncated":{}}})",
        json::serialize(columns),
        result->json,
        result->rows,
        result->truncated
    ));
  });
}

void Api::start_export(Exchange& exchange) {
  auto body = read_export_body(exchange.request().body);
  if (!body || sources_.ledger == nullptr) {
    http::respond_error(exchange, body ? no_ledger : body.error());
    return;
  }
  backgrounds_.queries.run(exchange, [this, body = *std::move(body)]() -> Background::Answer {
    const auto place = exports_.reserve("." + body.format, now_us());
    if (!place) return answer_error(place.error());
    ledger::Snapshot snapshot;
    const auto rows = worker_.export_rows(make_query(body.query, snapshot), place->path);
    if (!rows) {
      static_cast<void>(exports_.remove(place->id));
      return answer_error(rows.error());
    }
    const auto hash = sha256_of_file(place->path);
    if (!hash) return answer_error(hash.error());
    return answer_json(json::serialize(json::object{
        {"id", place->id},
        {"rows", *rows},
        {"sha256", *hash},
        {"query", body.query},
        {"format", body.format},
        {"made_at", to_rfc3339(now_us())},
        {"weir_version", WEIR_VERSION},
    }));
  });
}

void Api::read_export(Exchange& exchange, const std::string& id) {
  std::uint64_t offset = 0;
  const auto text = http::query_value(exchange.request().query, "offset");
  if (!text) {
    http::respond_error(exchange, text.error());
    return;
  }
  if (*text) {
    const char* end = (*text)->data() + (*text)->size();
    const auto [rest, error] = std::from_chars((*text)->data(), end, offset);
    if (error != std::errc() || rest != end) {
      http::respond_error(
          exchange, {Code::invalid_argument, "?offset= is a whole number of bytes"}
      );
      return;
    }
  }
  backgrounds_.queries.run(exchange, [this, id, offset]() -> Background::Answer {
    auto bytes = exports_.read(id, offset, now_us());
    if (!bytes) return answer_error(bytes.error());
    return [bytes = *std::move(bytes)](Exchange& answered) {
      answered.respond(200, "application/octet-stream", bytes);
    };
  });
}

void Api::end_export(Exchange& exchange, const std::string& id) {
  if (const Result<void> removed = exports_.remove(id); !removed) {
    http::respond_error(exchange, removed.error());
    return;
  }
  http::respond_json(exchange, 200, json::serialize(json::object{{"removed", id}}));
}

void Api::erase(Exchange& exchange) {
  auto body = read_erase(exchange.request().body);
  if (!body || sources_.ledger == nullptr) {
    http::respond_error(exchange, body ? no_ledger : body.error());
    return;
  }
  backgrounds_.queries.run(exchange, [this, body = *std::move(body)]() -> Background::Answer {
    sources_.recorder.flush();
    std::optional<std::string_view> endpoint;
    if (body.endpoint) endpoint = *body.endpoint;
    const auto rows = sources_.ledger->erase(endpoint, ledger::hash_key(body.key));
    if (!rows) return answer_error(rows.error());
    return answer_json(fmt::format("{{\"erased_rows\":{}}}", *rows));
  });
}

void Api::compact(Exchange& exchange) {
  if (sources_.ledger == nullptr) {
    http::respond_error(exchange, no_ledger);
    return;
  }
  backgrounds_.queries.run(exchange, [this]() -> Background::Answer {
    sources_.recorder.flush();
    const Result<void> compacted = sources_.ledger->compact();
    if (!compacted) return answer_error(compacted.error());
    const ledger::LedgerStatus status = sources_.ledger->status();
    return answer_json(json::serialize(json::object{
        {"parquet_files", status.parquet_files},
        {"parquet_bytes", status.parquet_bytes},
    }));
  });
}

}  // namespace weir::api
