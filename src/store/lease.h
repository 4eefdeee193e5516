#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

// The right to control a data folder, held by at most one process at a time.

namespace weir::store {

// Held until it is destroyed or its process dies: the kernel frees it, so a restart after a crash
// finds it free at once. Not inherited by programs that the process starts. One thread at a time.
class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

 private:
  explicit Lease(int descriptor) : descriptor_(descriptor) {}
  friend Result<Lease> acquire_lease(const std::string& folder, std::string_view holder);
  int descriptor_ = -1;
};

// Makes the folder when it is missing. `holder` says who asks, for the message to the next one:
// "weir serve
// --listen 127.0.0.1:8080". When another holds it: a conflict that names the folder, the process
// and the two ways out. It never waits.
Result<Lease> acquire_lease(const std::string& folder, std::string_view holder);

}  // namespace weir::store
