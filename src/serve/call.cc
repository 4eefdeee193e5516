#include "serve/call.h"

#include <charconv>

namespace weir::serve {

Result<void> Call::pin(std::string_view version) {
  std::uint32_t number = 0;
  const char* end = version.data() + version.size();
  const auto [rest, error] = std::from_chars(version.data(), end, number);
  if (error != std::errc() || rest != end) {
    return fail(
        Code::not_found, "model '{}' has no version '{}'; versions are numbers", endpoint, version
    );
  }
  pinned = number;
  return {};
}

}  // namespace weir::serve
