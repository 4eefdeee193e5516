#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "base/result.h"
#include "cli/arguments.h"
#include "net/http_client.h"

namespace weir::cli {

// The control API as commands use it. One thread at a time.
class Client {
 public:
  static Result<Client> connect(const ClientArguments& arguments);

  Result<boost::json::value> get(const std::string& path);
  Result<boost::json::value> post(const std::string& path, const boost::json::object& body);
  Result<boost::json::value> post_bytes(
      const std::string& path, std::string_view bytes, std::string_view content_type
  );
  Result<boost::json::value> remove(const std::string& path);
  // An answer that is no JSON.
  Result<std::string> get_bytes(const std::string& path);

 private:
  Client(net::HttpClient http, std::string token)
      : http_(std::move(http)), token_(std::move(token)) {}
  Result<net::ClientResponse> send(net::ClientRequest request, const std::string& path);
  Result<boost::json::value> send_json(net::ClientRequest request, const std::string& path);

  net::HttpClient http_;
  std::string token_;
};

// "/endpoints/NAME" with the name percent-encoded.
std::string endpoint_path(std::string_view endpoint, std::string_view rest = {});

// The token of --token-file, else of WEIR_TOKEN, else empty.
Result<std::string> read_token(const std::string& token_file);

}  // namespace weir::cli
