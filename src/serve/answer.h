#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/signature.h"
#include "tensor/tensor.h"

namespace weir::serve {

// What one row was answered, as far as the signature says: the score and the predicted class or
// value.
struct RowAnswer {
  double score = 0;
  bool has_score = false;
  std::string predicted;  // Empty = the signature does not say.
};

// Reads the answers of all rows from the outputs (in signature order); reuses the memory of
// `answers`. An output that is shorter than its signature gives rows without a score.
void read_answers(
    const model::Signature& signature,
    std::span<const tensor::Tensor> outputs,
    std::size_t rows,
    std::vector<RowAnswer>& answers
);

// The elements of one row in a tensor of `rows` rows; all of them when it has no row axis.
inline std::size_t elements_per_row(const tensor::Tensor& tensor, std::size_t rows) {
  return rows == 0 ? 0 : tensor.size() / rows;
}

}  // namespace weir::serve
