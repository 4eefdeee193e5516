#pragma once

#include <vector>

#include "base/result.h"
#include "model/session.h"
#include "protocol/predict.h"

namespace weir::serve {

// Puts a request's inputs into the order of the signature, checks names, datatypes, shapes and
// missing values, and counts the rows. The tensors change places with those of `inference`, so
// that both keep their memory. An error names the input and both sides.
Result<void> bind_inputs(
    const model::Signature& signature,
    protocol::PredictRequest& request,
    model::Inference& inference
);

// Which outputs are answered, in which order: the indices of the requested ones, or all. An
// unknown name is an error that lists the known ones.
Result<void> bind_outputs(
    const model::Signature& signature,
    const protocol::PredictRequest& request,
    std::vector<std::size_t>& outputs
);

}  // namespace weir::serve
