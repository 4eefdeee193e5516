#include "tensor/columns.h"

#include <limits>

#include "base/check.h"

namespace weir::tensor {

void Column::add_text(std::string_view value) {
  const auto* begin = reinterpret_cast<const std::byte*>(value.data());
  bytes_.insert(bytes_.end(), begin, begin + value.size());
  CHECK(bytes_.size() <= std::numeric_limits<std::uint32_t>::max(), "a batch stays below 4 GiB");
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  mark(true);
}

void Column::add_null() {
  if (spec_.is_list || spec_.datatype == DataType::bytes) {
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  } else {
    bytes_.resize(bytes_.size() + element_size(spec_.datatype));
  }
  mark(false);
}

void Column::add_list(std::span<const std::byte> elements) {
  bytes_.insert(bytes_.end(), elements.begin(), elements.end());
  CHECK(bytes_.size() <= std::numeric_limits<std::uint32_t>::max(), "a batch stays below 4 GiB");
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  mark(true);
}

void Column::clear() {
  bytes_.clear();
  ends_.clear();
  validity_.clear();
  rows_ = 0;
  null_count_ = 0;
}

Columns::Columns(std::shared_ptr<const ColumnSpecs> specs) : specs_(std::move(specs)) {
  columns_.reserve(specs_->size());
  for (const ColumnSpec& spec : *specs_) columns_.emplace_back(spec);
}

std::size_t Columns::size_bytes() const {
  std::size_t total = 0;
  for (const Column& column : columns_) total += column.size_bytes();
  return total;
}

void Columns::clear() {
  for (Column& column : columns_) column.clear();
}

}  // namespace weir::tensor
