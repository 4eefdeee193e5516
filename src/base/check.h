#pragma once

// CHECK(condition, "why it must hold") is always compiled in: it logs and aborts. DCHECK is for
// costly ones and is empty in release builds. Never on input from outside: that is an Error.

namespace weir {

[[noreturn]] void check_failed(
    const char* file, int line, const char* condition, const char* why
) noexcept;

}  // namespace weir

#define CHECK(condition, why)                                      \
  do {                                                             \
    if (!(condition)) [[unlikely]]                                 \
      ::weir::check_failed(__FILE__, __LINE__, #condition, (why)); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition, why) \
  do {                         \
  } while (false)
#else
#define DCHECK(condition, why) CHECK(condition, why)
#endif
