#include "app/demo_traffic.h"

#include <algorithm>
#include <optional>
#include <thread>

namespace weir::app {
namespace {

// Who asks: a few hundred market participants, each with an arm that stays.
constexpr std::size_t participants = 500;

std::string prediction_body(const DemoRow& row, std::size_t number) {
  std::string data;
  for (const float value : row.features)
    data += fmt::format("{}{}", data.empty() ? "" : ",", value);
  return fmt::format(
      R"({{"id":"row-{}","parameters":{{"weir_time":"{}"}},"inputs":[{{"name":"input","datatype":)"
      R"("FP32","shape":[1,{}],"data":[{}]}}]}})",
      number,
      to_rfc3339(row.time),
      row.features.size(),
      data
  );
}

Result<void> send(
    net::HttpClient& client,
    const char* target,
    std::string_view body,
    std::vector<std::pair<std::string, std::string>> headers
) {
  net::ClientRequest request;
  request.method = "POST";
  request.target = target;
  request.headers = std::move(headers);
  request.body = body;
  request.content_type = "application/json";
  const net::ClientResponse response = TRY(client.send(request));
  if (response.status == 200) return {};
  return fail(Code::unavailable, "the server answered {}: {}", response.status, response.body);
}

}  // namespace

DemoTraffic::DemoTraffic(const net::Url& server, const std::vector<DemoRow>& rows) : rows_(rows) {
  for (std::size_t i = 0; i < connections; ++i) clients_.emplace_back(server, net::ClientOptions{});
}

DemoTraffic::~DemoTraffic() = default;

void DemoTraffic::start_at(std::size_t row) {
  next_row_ = row;
  next_label_ = row;
}

Result<bool> DemoTraffic::play_block() {
  if (next_row_ >= rows_.size()) return false;
  const std::size_t end = std::min(rows_.size(), next_row_ + block_rows);
  TRY(predict(next_row_, end));
  next_row_ = end;
  // The label of a row is known when the next half hour begins.
  TRY(send_labels(end - 1));
  return true;
}

Result<void> DemoTraffic::predict(std::size_t begin, std::size_t end) {
  std::vector<std::optional<Error>> errors(connections);
  const auto work = [&](std::size_t client) {
    for (std::size_t row = begin + client; row < end; row += connections) {
      const std::string key = fmt::format("participant-{}", row * 7919 % participants);
      auto sent = send(
          clients_[client],
          "/v2/models/electricity/infer",
          prediction_body(rows_[row], row),
          {{"weir-routing-key", key}}
      );
      if (!sent) errors[client] = sent.error();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t client = 1; client < connections; ++client) threads.emplace_back(work, client);
  work(0);
  for (std::thread& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) return tl::unexpected(*error);
  }
  return {};
}

Result<void> DemoTraffic::send_labels(std::size_t end) {
  std::string body;
  for (; next_label_ < end; ++next_label_) {
    const DemoRow& row = rows_[next_label_];
    body += fmt::format(
        "{{\"id\":\"row-{}\",\"label\":{},\"time\":\"{}\"}}\n",
        next_label_,
        row.label,
        to_rfc3339(row.time + 1800 * us_per_second)
    );
  }
  if (body.empty()) return {};
  return send(clients_[0], "/api/v1/endpoints/electricity/feedback", body, {});
}

}  // namespace weir::app
