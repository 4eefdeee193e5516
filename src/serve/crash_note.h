#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

// When a model crashes the process, the next start has to know which one it was. Each thread notes
// the version that it runs; a handler of fatal signals writes that note to a file before the
// process dies.

namespace weir::serve {

class Version;

// Which version this thread is inside of; null when none. One store before and after a model runs.
class RunningVersion {
 public:
  explicit RunningVersion(const Version& version);
  ~RunningVersion();
  RunningVersion(const RunningVersion&) = delete;
  RunningVersion& operator=(const RunningVersion&) = delete;
};

struct CrashNote {
  std::string endpoint;
  std::uint32_t version = 0;
  int signal = 0;
};

// The note of the last process, if it died inside a model; forgets it on disk.
Result<std::optional<CrashNote>> take_crash_note(const std::string& path);

// Installs the handler. Once per process.
Result<void> note_crashes(const std::string& path);

}  // namespace weir::serve
