#include "net/http_client.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace weir::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

struct HttpClient::Impl {
  Url url;
  ClientOptions options;
  asio::io_context context;
  std::optional<asio::ssl::context> tls;  // Made once, for an address with https.
  std::optional<beast::tcp_stream> stream;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> secure;  // Around it.
  beast::flat_buffer buffer;
  Clock::time_point end;  // Of the request at hand.

  Impl(Url given, const ClientOptions& given_options)
      : url(std::move(given)), options(given_options) {}

  // Runs the operation that was just started to its end.
  void finish() {
    context.restart();
    context.run();
  }

  void close() {
    secure.reset();
    stream.reset();
  }

  // Calls function(stream) with the one that carries the requests.
  template <class Function>
  void with_wire(Function function) {
    if (secure) {
      function(*secure);
    } else {
      function(*stream);
    }
  }

  Result<void> connect();
  Result<void> shake_hands();
  Result<ClientResponse> exchange(const ClientRequest& request, bool& got_byte);
  tl::unexpected<Error> broken(const char* what, const error_code& error) const;
};

tl::unexpected<Error> HttpClient::Impl::broken(const char* what, const error_code& error) const {
  if (error == beast::error::timeout) {
    return fail(Code::deadline, "{} did not answer in time ({})", url.authority(), what);
  }
  if (error == beast::http::error::body_limit) {
    return fail(
        Code::exhausted,
        "the answer of {} is larger than {} bytes",
        url.authority(),
        options.max_answer_bytes
    );
  }
  return fail(Code::unavailable, "cannot {} {}: {}", what, url.authority(), error.message());
}

Result<void> HttpClient::Impl::connect() {
  error_code error;
  tcp::resolver resolver(context);
  const auto addresses = resolver.resolve(url.host, fmt::format("{}", url.port), error);
  if (error) return broken("find", error);
  stream.emplace(context);
  buffer.clear();
  stream->expires_at(
      std::min(end, Clock::now() + std::chrono::microseconds(options.connect_timeout_us))
  );
  stream->async_connect(addresses, [&](const error_code& result, const tcp::endpoint&) {
    error = result;
  });
  finish();
  if (error) {
    close();
    return broken("connect to", error);
  }
  stream->socket().set_option(tcp::no_delay(true), error);
  if (!url.is_tls) return {};
  auto secured = shake_hands();
  if (!secured) close();
  return secured;
}

// The server's certificate must be signed by one that the system knows, or by one in the file that
// SSL_CERT_FILE names, and must be for this host.
Result<void> HttpClient::Impl::shake_hands() {
  error_code error;
  if (!tls) {
    tls.emplace(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
    tls->set_default_verify_paths(error);
    tls->set_verify_mode(asio::ssl::verify_peer, error);
  }
  secure.emplace(*stream, *tls);
  secure->set_verify_callback(asio::ssl::host_name_verification(url.host), error);
  asio::ip::make_address(url.host, error);
  const bool is_name = error.failed();  // A number is no name to ask for.
  if (is_name) SSL_set_tlsext_host_name(secure->native_handle(), url.host.c_str());
  secure->async_handshake(asio::ssl::stream_base::client, [&](const error_code& result) {
    error = result;
  });
  finish();
  if (!error) return {};
  if (error == beast::error::timeout) return broken("agree on TLS with", error);
  return fail(
      Code::unavailable,
      "cannot agree on TLS with {}: {}; SSL_CERT_FILE may name a file with the certificate that "
      "the "
      "server's is signed by",
      url.authority(),
      error.message()
  );
}

Result<ClientResponse> HttpClient::Impl::exchange(const ClientRequest& request, bool& got_byte) {
  beast::http::request<beast::http::span_body<const char>> message;
  message.method_string({request.method.data(), request.method.size()});
  message.target(request.target);
  message.version(11);
  message.set(beast::http::field::host, url.authority());
  if (!request.content_type.empty()) {
    message.set(
        beast::http::field::content_type, {request.content_type.data(), request.content_type.size()}
    );
  }
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = {request.body.data(), request.body.size()};
  message.prepare_payload();

  error_code error;
  stream->expires_at(end);
  with_wire([&](auto& wire) {
    beast::http::async_write(wire, message, [&](const error_code& result, std::size_t) {
      error = result;
    });
  });
  finish();
  if (error) return broken("send to", error);
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(options.max_answer_bytes);
  parser.skip(request.method == "HEAD");
  with_wire([&](auto& wire) {
    beast::http::async_read(wire, buffer, parser, [&](const error_code& result, std::size_t) {
      error = result;
    });
  });
  finish();
  got_byte = parser.got_some();
  if (error) return broken("read the answer of", error);
  ClientResponse response;
  response.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(parser.get().body());
  if (!parser.keep_alive()) close();
  return response;
}

HttpClient::HttpClient(Url url, const ClientOptions& options)
    : impl_(std::make_unique<Impl>(std::move(url), options)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

const Url& HttpClient::url() const {
  return impl_->url;
}

Result<ClientResponse> HttpClient::send(const ClientRequest& request) {
  std::int64_t timeout_us = impl_->options.timeout_us;
  if (request.timeout_us > 0) timeout_us = std::min(timeout_us, request.timeout_us);
  impl_->end = Clock::now() + std::chrono::microseconds(timeout_us);
  const bool was_kept = impl_->stream.has_value();
  if (!was_kept) TRY(impl_->connect());
  bool got_byte = false;
  auto response = impl_->exchange(request, got_byte);
  if (response) return response;
  impl_->close();
  if (!was_kept || got_byte || response.error().code != Code::unavailable) return response;
  TRY(impl_->connect());
  response = impl_->exchange(request, got_byte);
  if (!response) impl_->close();
  return response;
}

std::string_view ClientResponse::header(std::string_view name) const {
  const auto same = [&](std::string_view other) {
    return std::ranges::equal(name, other, [](unsigned char left, unsigned char right) {
      return std::tolower(left) == std::tolower(right);
    });
  };
  for (const auto& [key, value] : headers) {
    if (same(key)) return value;
  }
  return {};
}

}  // namespace weir::net
