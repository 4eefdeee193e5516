#pragma once

#include <cstddef>

#include "base/result.h"
#include "protocol/json_reader.h"
#include "protocol/predict.h"
#include "tensor/datatype.h"
#include "tensor/shape.h"

// The elements of an input as JSON. Inside protocol/.

namespace weir::protocol {

// Fills input.tensor and has_missing from the `data` array that comes next, flat or nested in any
// way that gives the right number of elements; one that is nested to the full rank must also agree
// with every dimension. input.name is for messages only.
//
// Floating-point elements are numbers (read as double, then rounded to the datatype, as other
// servers do), null and NaN, which count as missing, and Infinity. Others are exactly what the
// datatype says.
// Requires: the shape has `count` elements.
Result<void> decode_data(
    JsonReader& reader,
    tensor::DataType datatype,
    const tensor::Shape& shape,
    std::size_t count,
    InputTensor& input
);

}  // namespace weir::protocol
