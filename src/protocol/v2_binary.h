#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/predict.h"
#include "tensor/datatype.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

// Tensors as raw bytes: the binary tensor extension of V2. Little-endian, row-major, no padding;
// BOOL is a byte 0 or 1; an element of BYTES is a 4-byte length and then its bytes. Thread-safe.

namespace weir::protocol {

// Fills input.tensor (and has_missing) with exactly these bytes; input.name is for messages only.
// Too few or too many bytes, a length prefix beyond the end, a shape without an element count and a
// BOOL other than 0 and 1 are refused before memory is taken.
Result<void> fill_from_binary(
    std::string_view bytes,
    tensor::DataType datatype,
    const tensor::Shape& shape,
    InputTensor& input
);

// Whether a NaN is among the elements; never for types other than floating-point ones.
bool has_missing(const tensor::Tensor& tensor);

// How many bytes append_binary() adds.
std::uint64_t binary_size(const tensor::Tensor& tensor);
// Requires: no element of a BYTES tensor is longer than 4 GiB - 1.
void append_binary(const tensor::Tensor& tensor, std::string& body);

}  // namespace weir::protocol
