#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <tl/expected.hpp>

// Errors are values. Every function that can fail for a reason outside the program returns a
// Result; TRY passes the error on to the caller. A broken invariant is not an error: see check.h.

namespace weir {

// What kind of failure it is. One table maps these to HTTP (http/respond.cc); the core never names
// a status of a transport.
enum class Code : std::uint8_t {
  invalid_argument,  // The caller sent something that can never work.
  not_found,         // The thing named does not exist.
  conflict,          // The thing exists already, or is in a state that forbids this.
  exhausted,         // A limit is reached; later it may work.
  unavailable,       // Not ready, draining, or a peer does not answer.
  deadline,          // Too late.
  cancelled,         // The caller has gone before the answer.
  corrupt,           // Stored bytes are not what was written.
  internal,          // A dependency failed in a way that nobody outside can mend.
};

// "invalid_argument" and so on, as it stands in records, metrics and JSON.
const char* to_string(Code code);

// The message names the thing and the fix.
struct [[nodiscard]] Error {
  Code code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

template <class T>
T take(Result<T>&& result) {
  return std::move(*result);
}
inline void take(Result<void>&&) {}

// fail(Code::not_found, "model '{}' is not loaded", name)
template <class... Arguments>
tl::unexpected<Error> fail(
    Code code, fmt::format_string<Arguments...> format, Arguments&&... arguments
) {
  return tl::unexpected<Error>(Error{
      code, fmt::format(format, std::forward<Arguments>(arguments)...)});
}

}  // namespace weir

// The value of a Result, or return its error to the caller. At most one in a statement; not in
// coroutines.
#define TRY(expression)                                      \
  __extension__({                                            \
    auto try_result_ = (expression);                         \
    if (!try_result_) [[unlikely]]                           \
      return tl::unexpected(std::move(try_result_).error()); \
    ::weir::take(std::move(try_result_));                    \
  })
