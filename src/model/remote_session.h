#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/session.h"
#include "net/url.h"

namespace weir::model {

// Where a model is served: http://HOST[:PORT][/PREFIX]/v2/models/NAME[/versions/V].
struct RemoteAddress {
  net::Url server;     // Without the path.
  std::string prefix;  // What stands before /v2.
  std::string model;   // The path up to NAME or V, as it was written.
};

// From the first line of a *.remote file.
Result<RemoteAddress> parse_remote_address(std::string_view text);

// A session that another V2 server answers (Triton, MLServer, another Weir). The signature is that
// of the server's metadata at this moment. Calls are pending and go over connections that are kept;
// what the server refuses is refused here with its message.
Result<std::unique_ptr<Session>> load_remote(
    std::string_view text, const std::string& path, const SessionOptions& options
);

}  // namespace weir::model
