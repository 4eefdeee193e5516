#include "http/cors.h"

#include <algorithm>

#include <fmt/format.h>

namespace weir::http {
namespace {

constexpr std::string_view asked_method = "access-control-request-method";
constexpr std::string_view asked_headers = "access-control-request-headers";

// What Access-Control-Allow-Origin says; empty for a page that is not among the allowed.
std::string_view allowed_origin(const CorsOptions& options, std::string_view origin) {
  if (origin.empty()) return {};
  if (std::ranges::find(options.origins, "*") != options.origins.end()) return "*";
  return std::ranges::find(options.origins, origin) != options.origins.end() ? origin
                                                                             : std::string_view();
}

}  // namespace

bool is_preflight(const CorsOptions& options, const Request& request) {
  return !options.origins.empty() && request.method == Method::options &&
         !allowed_origin(options, request.header("origin")).empty() &&
         !request.header(asked_method).empty();
}

void append_cors(const CorsOptions& options, const Request& request, Buffer& head) {
  const std::string_view allowed = allowed_origin(options, request.header("origin"));
  head.append("Vary: Origin\r\n");
  if (allowed.empty()) return;
  head.append("Access-Control-Allow-Origin: ");
  head.append(allowed);
  head.append(
      "\r\nAccess-Control-Expose-Headers: Inference-Header-Content-Length, Retry-After, "
      "X-Request-Id\r\n"
  );
}

std::string preflight_headers(const CorsOptions& options, const Request& request) {
  std::string headers = fmt::format(
      "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE\r\n"
      "Access-Control-Max-Age: {}\r\n",
      options.max_age_us / 1'000'000
  );
  // Which headers a client may send is no secret of ours: what it asks for, it may.
  if (const std::string_view asked = request.header(asked_headers); !asked.empty()) {
    headers += fmt::format("Access-Control-Allow-Headers: {}\r\n", asked);
  }
  return headers;
}

}  // namespace weir::http
