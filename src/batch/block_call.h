#pragma once

#include <cstdint>
#include <semaphore>
#include <span>
#include <string>

#include "batch/match.h"
#include "serve/predictor.h"
#include "tensor/columns.h"

namespace weir::batch {

// Some rows of a file as one request of the predictor. Used for one block after the other, by one
// thread at a time.
class BlockCall final : public serve::Call {
 public:
  BlockCall(serve::Predictor& predictor, const serve::Version& version, const Match& match)
      : predictor_(predictor), version_(version), match_(match) {
    endpoint = version.endpoint();
  }

  // Predicts these rows of the columns and waits for it; `outputs` and `answers` then hold what
  // came out, row by row. `name` is the id of the records; empty: the predictor makes one up.
  Result<void> predict(
      const tensor::Columns& columns, std::span<const std::uint32_t> places, std::string_view name
  );

  Result<void> decode() override;
  void answer() override { is_over_ = true; }
  void refuse(const Error& error) override;
  void complete() override { completed_.release(); }
  std::string_view metadata(std::string_view) const override { return {}; }

 private:
  void fill(std::size_t column, tensor::Tensor& tensor) const;
  void fill_texts(std::size_t first_column, std::size_t width, tensor::Tensor& tensor) const;

  serve::Predictor& predictor_;
  const serve::Version& version_;
  const Match& match_;
  const tensor::Columns* columns_ = nullptr;
  std::span<const std::uint32_t> rows_;
  std::string_view given_id_;
  bool is_over_ = false;
  Result<void> result_;
  std::counting_semaphore<> completed_{0};
};

}  // namespace weir::batch
