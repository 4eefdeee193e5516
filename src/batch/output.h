#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "batch/block_call.h"
#include "serve/version.h"
#include "table/file_format.h"
#include "tensor/columns.h"

// The columns of the output, named as in the ledger: those that are kept, id and row when the
// predictions are recorded, score, predicted, and one per element of an output.

namespace weir::batch {

// Immutable.
class OutputLayout {
 public:
  // `kept` are the last columns of a batch of the input, with their types in SQL.
  static Result<OutputLayout> create(
      const serve::Version& version,
      std::span<const tensor::ColumnSpec> kept,
      std::span<const std::string> kept_types,
      bool with_id
  );

  const std::shared_ptr<const tensor::ColumnSpecs>& specs() const { return specs_; }

  // Adds the answered rows of a block; `rows` are their places in `input`.
  void append(
      const BlockCall& call,
      const tensor::Columns& input,
      std::span<const std::uint32_t> rows,
      tensor::Columns& output
  ) const;

  // Writes incoming rows to a file; a CSV begins with its header line when it is the first one.
  std::string copy_statement(table::FileFormat format, const std::string& path, bool is_first)
      const;

 private:
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  std::vector<std::string> kept_types_;
  bool with_id_ = false;
  bool has_score_ = false;
  bool has_predicted_ = false;
  std::vector<serve::RecordLayout::Source> sources_;
};

}  // namespace weir::batch
