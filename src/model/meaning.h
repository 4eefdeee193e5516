#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "model/signature.h"

// What signature.cc and sidecar.cc share: how meaning is read off names, types and shapes.

namespace weir::model {

// Elements of one row of an input or output; nothing while another axis than the rows is variable.
std::optional<std::size_t> row_width(const Signature& signature, const TensorSpec& spec);

// Task, score and predicted from the outputs; with a task given, what suits that task.
void derive_outputs(Signature& signature, std::optional<Task> task);

// In a sidecar the outputs `score` and `predicted` are roles, not names of tensors.
bool is_role_name(std::string_view name);

}  // namespace weir::model
