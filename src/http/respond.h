#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

// Answers in JSON, and the one table that turns our error codes into statuses of HTTP.

namespace weir::http {

// The two surfaces differ in one code: clients of the V2 protocol expect a conflict as 400.
enum class Surface : std::uint8_t { v2, control };
int http_status(Code code, Surface surface);

// "Not Found" for 404; "Unknown" for a number that has no name.
std::string_view reason_phrase(int status);

// {"error": message}. Bytes that are not UTF-8 become U+FFFD, so that every client can read it.
std::string error_body(std::string_view message);
void append_json_string(std::string& out, std::string_view text);

void respond_json(Exchange& exchange, int status, std::string_view json);

// 405, or 204 to OPTIONS, with Allow. `allowed` is "GET, HEAD".
void respond_not_allowed(Exchange& exchange, std::string_view allowed);

// Status of the code (the surface follows from the path: /v2 or else) and {"error": message}; with
// Retry-After where trying again later may help.
void respond_error(Exchange& exchange, const Error& error);

}  // namespace weir::http
