#pragma once

#include <cstdint>

#include "serve/recorder.h"
#include "tensor/columns.h"

namespace weir::serve {

// Appends the rows of a request to a batch of the version's layout. The number of bytes by which
// the batch grew.
std::uint64_t append_rows(const RecordRequest& request, tensor::Columns& batch);

}  // namespace weir::serve
