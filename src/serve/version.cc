#include "serve/version.h"

namespace weir::serve {

Version::Version(
    VersionIdentity identity,
    std::unique_ptr<model::Session> session,
    const VersionLimits& limits,
    const std::vector<std::string>& endpoint_features,
    const std::vector<std::string>& metadata
)
    : identity_(std::move(identity)),
      number_text_(fmt::format("{}", identity_.number)),
      session_(std::move(session)),
      limits_(limits),
      layout_(session_->signature(), endpoint_features, metadata) {}

}  // namespace weir::serve
