#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/buffer.h"
#include "http/server.h"

// Cross-origin requests: which web pages a browser lets read our answers. Off without origins.
// Credentials (cookies) are never allowed; a page sends its token itself.

namespace weir::http {

// A browser asks with OPTIONS before it sends a request that no form could send. Such a question
// has no token and no body.
bool is_preflight(const CorsOptions& options, const Request& request);

// The lines of an answer's head that let the asking page read it; none for another origin. Vary is
// said either way, because the answer depends on the origin.
void append_cors(const CorsOptions& options, const Request& request, Buffer& head);

// Those that the answer to a preflight has beside them.
std::string preflight_headers(const CorsOptions& options, const Request& request);

}  // namespace weir::http
