#include "protocol/predict.h"

namespace weir::protocol {

void PredictRequest::clear() {
  id.clear();
  input_count = 0;
  outputs.clear();
  binary_output = false;
  raw = false;
  raw_body = {};
  timeout_us.reset();
  priority.reset();
  time.reset();
  routing_key.clear();
  parameters.clear();
}

InputTensor& PredictRequest::add_input() {
  if (input_count == inputs.size()) inputs.emplace_back();
  InputTensor& input = inputs[input_count++];
  input.name.clear();
  input.has_missing = false;
  return input;
}

}  // namespace weir::protocol
