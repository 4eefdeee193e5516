#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "protocol/v2.h"
#include "protocol/v2_fields.h"
#include "tensor/datatype.h"
#include "tensor/shape.h"

// What every form of a request has to keep to, with the same words. Inside protocol/.

namespace weir::protocol {

// Appends one dimension of an input's shape.
Result<void> add_dimension(std::int64_t size, const Place& place, tensor::Shape& shape);

// The number of elements, taken off what is left for the inputs of this request.
Result<std::size_t> take_elements(
    const tensor::Shape& shape,
    const Place& place,
    const DecodeOptions& options,
    std::uint64_t& elements_left
);

Result<tensor::DataType> read_datatype(std::string_view name, const Place& place);

// Parameters of an input or output that would change its meaning may not be passed over.
Result<void> refuse_unsupported(std::string_view name, const Place& place);

// Of the input, or output, that was added last.
Result<void> check_input_is_new(const PredictRequest& request);
Result<void> check_output_is_new(const PredictRequest& request);

// Whether one more fits.
Result<void> check_input_count(const PredictRequest& request, const DecodeOptions& options);
Result<void> check_output_count(const PredictRequest& request, const DecodeOptions& options);

}  // namespace weir::protocol
