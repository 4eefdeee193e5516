#include "serve/version.h"

#include "serve/crash_note.h"

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

model::Progress Version::infer(model::Inference& inference) const {
  const RunningVersion note(*this);
  return session_->infer(inference);
}

}  // namespace weir::serve
