#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/signature.h"
#include "tensor/columns.h"

namespace weir::serve {

// How the rows of a version become columns of the ledger: which column takes which element of
// which tensor, under which name, kept, hashed or dropped. Made once per version. Immutable.
class RecordLayout {
 public:
  static constexpr std::size_t max_metadata = 16;  // Headers beyond are not recorded.

  enum class Side : std::uint8_t { input, output };

  // One column after the fixed ones.
  struct Source {
    Side side = Side::input;
    std::size_t tensor = 0;   // Index in the signature's inputs or outputs.
    std::size_t element = 0;  // Of a row; unused for lists.
    bool is_list = false;     // All elements of the row.
    model::Keep keep = model::Keep::keep;
    tensor::DataType datatype = tensor::DataType::fp32;  // Of the tensor.
  };

  // `endpoint_features` name the input elements by position where the version itself only has
  // made-up names; `metadata` are names of request headers that are recorded as text.
  RecordLayout(
      const model::Signature& signature,
      std::span<const std::string> endpoint_features,
      std::span<const std::string> metadata
  );

  // All columns, the fixed ones of ledger/record.h first, then metadata, then sources.
  const std::shared_ptr<const tensor::ColumnSpecs>& specs() const { return specs_; }
  std::span<const std::string> metadata() const { return metadata_; }
  std::span<const Source> sources() const { return sources_; }

 private:
  void add_inputs(
      const model::Signature& signature,
      std::span<const std::string> endpoint_features,
      tensor::ColumnSpecs& columns
  );
  void add_outputs(const model::Signature& signature, tensor::ColumnSpecs& columns);

  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  std::vector<std::string> metadata_;
  std::vector<Source> sources_;
};

}  // namespace weir::serve
