#pragma once

#include "serve/recorder.h"
#include "tensor/columns.h"

namespace weir::serve {

// Appends the element, or all elements, that a source names, of `count` rows from `first` on; null
// where the tensors have none. `rows` is how many the tensors hold.
void append_source(
    const RecordLayout::Source& source,
    std::span<const tensor::Tensor> tensors,
    std::size_t rows,
    std::size_t first,
    std::size_t count,
    tensor::Column& column
);

// Appends `count` rows of a request, from `first` on, to a batch of the version's layout.
void append_rows(
    const RecordRequest& request, std::size_t first, std::size_t count, tensor::Columns& batch
);

}  // namespace weir::serve
