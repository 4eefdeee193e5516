#include "http/respond.h"

#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/utf8.h"

namespace weir::http {
namespace {

struct Named {
  int status;
  std::string_view phrase;
};
constexpr std::array<Named, 30> phrases = {{
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

}  // namespace

int http_status(Code code, Surface surface) {
  switch (code) {
    case Code::invalid_argument:
    case Code::cancelled:  // Nobody is left to read it.
      return 400;
    case Code::not_found:
      return 404;
    case Code::conflict:
      return surface == Surface::v2 ? 400 : 409;
    case Code::exhausted:
    case Code::unavailable:
      return 503;
    case Code::deadline:
      return 504;
    case Code::corrupt:
    case Code::internal:
      return 500;
  }
  return 500;
}

int http_status(Code code) {
  return http_status(code, Surface::v2);
}

std::string_view reason_phrase(int status) {
  if (status == 200) return "OK";  // Nearly always.
  for (const Named& named : phrases) {
    if (named.status == status) return named.phrase;
  }
  // A client does not read the phrase, but the line must have its second space.
  return "Unknown";
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i++];
    } else if (byte == '\n') {
      out += "\\n";
      ++i;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 0x0F];
      ++i;
    } else if (const std::size_t length = utf8_length(text.substr(i)); length > 0) {
      out += text.substr(i, length);
      i += length;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  out += '"';
}

std::string error_body(std::string_view message) {
  std::string body = "{\"error\":";
  append_json_string(body, message);
  body += '}';
  return body;
}

void respond_json(Exchange& exchange, int status, std::string_view json) {
  exchange.respond(status, "application/json", json);
}

void respond_not_allowed(Exchange& exchange, std::string_view allowed) {
  const Request& request = exchange.request();
  const std::string allow = fmt::format("Allow: {}, OPTIONS\r\n", allowed);
  if (request.method == Method::options) {
    exchange.respond(204, {}, {}, allow);
    return;
  }
  exchange.respond(
      405,
      "application/json",
      error_body(
          fmt::format("'{}' takes {}, not {}", request.path, allowed, to_string(request.method))
      ),
      allow
  );
}

void respond_error(Exchange& exchange, const Error& error) {
  const std::string_view path = exchange.request().path;
  const bool is_v2 = path == "/v2" || path.starts_with("/v2/");
  const int status = http_status(error.code, is_v2 ? Surface::v2 : Surface::control);
  exchange.respond(
      status,
      "application/json",
      error_body(error.message),
      status == 503 ? std::string_view("Retry-After: 1\r\n") : std::string_view()
  );
}

}  // namespace weir::http
