#pragma once

#include <fmt/core.h>

#include <string_view>

// The program's log: one line an event on standard error, "time level message". Thread-safe.
// LOG(info, "model '{}' loaded in {} ms", name, ms)

namespace weir {

enum class LogLevel { debug, info, warning, error };

// Lines below this level are dropped. Default: info.
void set_log_level(LogLevel level);

bool is_logged(LogLevel level);
void write_log(LogLevel level, std::string_view message);

}  // namespace weir

#define LOG(level, ...)                                                      \
  do {                                                                       \
    if (::weir::is_logged(::weir::LogLevel::level))                          \
      ::weir::write_log(::weir::LogLevel::level, ::fmt::format(__VA_ARGS__)); \
  } while (false)
