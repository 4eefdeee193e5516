#include "cli/client.h"

#include <cstdlib>

#include <boost/json.hpp>

#include "base/file.h"
#include "net/url.h"

namespace weir::cli {

namespace json = boost::json;

namespace {

Code code_of_status(int status) {
  switch (status) {
    case 404:
      return Code::not_found;
    case 409:
      return Code::conflict;
    case 429:
    case 503:
      return Code::unavailable;
    case 504:
      return Code::deadline;
    default:
      return status >= 500 ? Code::internal : Code::invalid_argument;
  }
}

Result<json::value> parse(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error) return fail(Code::internal, "the server's answer is not JSON: {}", error.message());
  return value;
}

Error error_of(const net::ClientResponse& response) {
  const auto value = parse(response.body);
  if (value && value->is_object()) {
    if (const json::value* message = value->as_object().if_contains("error")) {
      if (message->is_string()) {
        return {code_of_status(response.status), std::string(message->as_string())};
      }
    }
  }
  return {code_of_status(response.status), fmt::format("the server answered {}", response.status)};
}

}  // namespace

Result<std::string> read_token(const std::string& token_file) {
  if (token_file.empty()) {
    const char* token = std::getenv("WEIR_TOKEN");  // NOLINT(concurrency-mt-unsafe)
    return std::string(token == nullptr ? "" : token);
  }
  std::string token = TRY(system_files().read(token_file));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty()) return fail(Code::invalid_argument, "'{}' holds no token", token_file);
  return token;
}

Result<Client> Client::connect(const ClientArguments& arguments) {
  net::Url url = TRY(net::parse_url(arguments.server));
  std::string token = TRY(read_token(arguments.token_file));
  // SQL and exports may take long; the server has the tighter limit.
  net::ClientOptions options{.timeout_us = 3600 * us_per_second};
  return Client(net::HttpClient(std::move(url), options), std::move(token));
}

Result<net::ClientResponse> Client::send(net::ClientRequest request, const std::string& path) {
  request.target = http_.url().path + "/api/v1" + path;
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  auto response = http_.send(request);
  if (!response) {
    return fail(
        response.error().code,
        "{}. Is the server running? Start one with 'weir serve', or say where it is with --server "
        "or WEIR_SERVER",
        response.error().message
    );
  }
  if (response->status != 200) return tl::unexpected(error_of(*response));
  return response;
}

Result<json::value> Client::send_json(net::ClientRequest request, const std::string& path) {
  const net::ClientResponse response = TRY(send(std::move(request), path));
  return parse(response.body);
}

Result<json::value> Client::get(const std::string& path) {
  return send_json({}, path);
}

Result<json::value> Client::post(const std::string& path, const json::object& body) {
  const std::string text = json::serialize(body);
  return post_bytes(path, text, "application/json");
}

Result<json::value> Client::post_bytes(
    const std::string& path, std::string_view bytes, std::string_view content_type
) {
  net::ClientRequest request;
  request.method = "POST";
  request.body = bytes;
  request.content_type = content_type;
  return send_json(std::move(request), path);
}

Result<json::value> Client::remove(const std::string& path) {
  net::ClientRequest request;
  request.method = "DELETE";
  return send_json(std::move(request), path);
}

Result<std::string> Client::get_bytes(const std::string& path) {
  net::ClientResponse response = TRY(send({}, path));
  return std::move(response.body);
}

std::string endpoint_path(std::string_view endpoint, std::string_view rest) {
  return fmt::format("/endpoints/{}{}", net::percent_encode(endpoint), rest);
}

}  // namespace weir::cli
