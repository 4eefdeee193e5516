#include "model/remote_session.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/call_pool.h"
#include "model/remote_codec.h"
#include "net/http_client.h"

namespace weir::model {
namespace {

// What a status of the other server means for our client, to whom that server is a part of us: that
// it does not know the model any more or refuses us is our trouble and not the client's.
Code code_of(int status) {
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 422:
      return Code::invalid_argument;
    case 408:
    case 504:
      return Code::deadline;
    case 429:
      return Code::exhausted;
    case 401:
    case 403:
    case 404:
    case 502:
    case 503:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

tl::unexpected<Error> refused(const net::Url& server, const net::ClientResponse& response) {
  return fail(
      code_of(response.status),
      "{} answers {}: {}",
      server.authority(),
      response.status,
      decode_remote_error(response.body)
  );
}

Result<std::string> get(net::HttpClient& client, const std::string& target) {
  net::ClientRequest request;
  request.target = target;
  net::ClientResponse response = TRY(client.send(request));
  if (response.status != 200) return refused(client.url(), response);
  return std::move(response.body);
}

Result<std::optional<std::size_t>> json_bytes_of(const net::ClientResponse& response) {
  const std::string_view text = response.header("Inference-Header-Content-Length");
  if (text.empty()) return std::optional<std::size_t>();
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(
        Code::internal,
        "its answer has a bad Inference-Header-Content-Length '{}'",
        text.substr(0, 64)
    );
  }
  return std::optional(bytes);
}

class RemoteSession final : public Session {
 public:
  RemoteSession(RemoteAddress address, Signature signature, RemoteForm form)
      : address_(std::move(address)), signature_(std::move(signature)), form_(form) {}

  Result<void> start(const SessionOptions& options, const net::ClientOptions& client_options) {
    lines_.reserve(static_cast<std::size_t>(options.remote_connections));
    for (int i = 0; i < options.remote_connections; ++i) {
      lines_.push_back({net::HttpClient(address_.server, client_options), {}});
    }
    const CallPoolOptions pool_options{
        .name = fmt::format("the server {}", address_.server.authority()),
        .threads = options.remote_connections,
        .queue = options.remote_queue,
    };
    pool_ = TRY(CallPool::start(pool_options, [this](std::size_t thread, Inference& inference) {
      call(lines_[thread], inference);
    }));
    return {};
  }

  const Signature& signature() const override { return signature_; }
  bool is_inline() const override { return false; }
  Progress infer(Inference& inference) override { return pool_->submit(inference); }

 private:
  // One connection and the memory of its requests, used by one thread.
  struct Line {
    net::HttpClient client;
    std::string body;
  };

  void call(Line& line, Inference& inference) const {
    const std::int64_t begin = monotonic_ns();
    inference.status = exchange(line, inference);
    inference.run_ns = monotonic_ns() - begin;
    constexpr std::size_t kept_bytes = 1U << 20;
    if (line.body.capacity() > kept_bytes) line.body = std::string();
    inference.complete();
  }

  Result<void> exchange(Line& line, Inference& inference) const {
    const std::size_t json_bytes =
        TRY(encode_remote_request(signature_, inference.inputs, form_, line.body));
    net::ClientRequest request;
    request.method = "POST";
    request.target = address_.model + "/infer";
    request.body = line.body;
    request.content_type = form_.binary ? "application/octet-stream" : "application/json";
    if (form_.binary) {
      request.headers.emplace_back(
          "Inference-Header-Content-Length", fmt::format("{}", json_bytes)
      );
    }
    if (!inference.traceparent.empty()) {
      request.headers.emplace_back("traceparent", inference.traceparent);
      if (!inference.tracestate.empty()) {
        request.headers.emplace_back("tracestate", inference.tracestate);
      }
    }
    if (inference.deadline != 0) {
      request.timeout_us = std::max<std::int64_t>(inference.deadline - now_us(), 1);
    }
    const net::ClientResponse response = TRY(line.client.send(request));
    if (response.status != 200) return refused(address_.server, response);
    const auto named = [&](Error error) {
      error.message = fmt::format("{}: {}", address_.server.authority(), error.message);
      return tl::unexpected(std::move(error));
    };
    const auto length = json_bytes_of(response);
    if (!length) return named(length.error());
    const auto decoded =
        decode_remote_answer(response.body, *length, signature_, inference.outputs);
    if (!decoded) return named(decoded.error());
    return {};
  }

  RemoteAddress address_;
  Signature signature_;
  RemoteForm form_;
  std::vector<Line> lines_;
  std::unique_ptr<CallPool> pool_;  // Last: its threads use the rest.
};

Result<std::unique_ptr<Session>> connect(
    const RemoteAddress& address, const SessionOptions& options
) {
  const net::ClientOptions client_options{
      .timeout_us = options.remote_timeout_us,
      .max_answer_bytes = options.remote_answer_bytes,
  };
  net::HttpClient client(address.server, client_options);
  const std::string server = TRY(get(client, address.prefix + "/v2"));
  const RemoteForm form{.binary = TRY(decode_server_extensions(server))};
  const std::string metadata = TRY(get(client, address.model));
  Signature signature = TRY(decode_remote_metadata(metadata));
  if (signature.inputs.empty() || signature.outputs.empty()) {
    return fail(
        Code::invalid_argument,
        "{}{} does not say which inputs and outputs the model has; describe them in that server's "
        "own configuration of the model",
        address.server.authority(),
        address.model
    );
  }
  TRY(check_remote_form(signature, form));
  signature.platform = "remote_v2";
  derive_meaning(signature);
  auto session = std::make_unique<RemoteSession>(address, std::move(signature), form);
  TRY(session->start(options, client_options));
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace

Result<RemoteAddress> parse_remote_address(std::string_view text) {
  constexpr std::string_view wanted =
      "the first line of a *.remote file is an address like "
      "http://127.0.0.1:8000/v2/models/NAME or …/NAME/versions/1";
  std::string_view line = text.substr(0, text.find('\n'));
  constexpr std::string_view space = " \t\r";
  while (!line.empty() && space.find(line.front()) != space.npos) line.remove_prefix(1);
  while (!line.empty() && space.find(line.back()) != space.npos) line.remove_suffix(1);
  const bool is_plain =
      std::ranges::all_of(line, [](char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#'; });
  if (!is_plain) return fail(Code::invalid_argument, "it holds no address; {}", wanted);
  RemoteAddress address;
  address.server = TRY(net::parse_url(line));
  address.model = std::exchange(address.server.path, {});
  constexpr std::string_view models = "/v2/models/";
  const std::size_t at = address.model.find(models);
  if (at == std::string::npos || at + models.size() == address.model.size()) {
    return fail(Code::invalid_argument, "'{}' names no model; {}", line.substr(0, 200), wanted);
  }
  address.prefix = address.model.substr(0, at);
  return address;
}

Result<std::unique_ptr<Session>> load_remote(
    std::string_view text, const std::string& path, const SessionOptions& options
) {
  const auto named = [&](const Error& error) {
    return fail(error.code, "cannot load '{}': {}", path, error.message);
  };
  const auto address = parse_remote_address(text);
  if (!address) return named(address.error());
  auto session = connect(*address, options);
  if (!session) return named(session.error());
  return session;
}

}  // namespace weir::model
