#pragma once

#include "serve/recorder.h"
#include "tensor/columns.h"

namespace weir::serve {

// Appends `count` rows of a request, from `first` on, to a batch of the version's layout.
void append_rows(
    const RecordRequest& request, std::size_t first, std::size_t count, tensor::Columns& batch
);

}  // namespace weir::serve
