#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/predict.h"
#include "tensor/datatype.h"
#include "tensor/shape.h"

// The elements of a tensor as InferTensorContents, one repeated field per kind of datatype. Inside
// protocol/.

namespace weir::protocol {

// Fills input.tensor (and has_missing) from the parts of an InferTensorContents message, which are
// taken together. input.name is for messages only. Elements in a field that is not the datatype's,
// too few or too many of them and numbers out of range are refused before memory is taken.
Result<void> fill_from_contents(
    const std::vector<std::string_view>& parts,
    tensor::DataType datatype,
    const tensor::Shape& shape,
    InputTensor& input
);

// Appends the InferTensorContents message of a tensor. Requires: neither FP16 nor BF16.
void append_contents(const tensor::Tensor& tensor, std::string& message);

}  // namespace weir::protocol
