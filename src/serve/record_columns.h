#pragma once

#include "serve/recorder.h"
#include "tensor/columns.h"

namespace weir::serve {

// Appends the rows of a request to a batch of the version's layout.
void append_rows(const RecordRequest& request, tensor::Columns& batch);

}  // namespace weir::serve
