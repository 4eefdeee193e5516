#include "tensor/columns.h"

#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace weir::tensor {

void Column::add_text(std::string_view value, std::size_t count) {
  const auto* begin = reinterpret_cast<const std::byte*>(value.data());
  for (std::size_t i = 0; i < count; ++i) {
    bytes_.insert(bytes_.end(), begin, begin + value.size());
    CHECK(bytes_.size() <= std::numeric_limits<std::uint32_t>::max(), "a batch stays below 4 GiB");
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }
  mark(true, count);
}

void Column::add_null(std::size_t count) {
  if (spec_.is_list || spec_.datatype == DataType::bytes) {
    ends_.insert(ends_.end(), count, static_cast<std::uint32_t>(bytes_.size()));
  } else {
    bytes_.resize(bytes_.size() + count * element_size(spec_.datatype));
  }
  mark(false, count);
}

void Column::mark_many(bool valid, std::size_t count) {
  const std::size_t end = rows_ + count;
  validity_.resize((end + 7) / 8);
  if (!valid) {
    null_count_ += count;
    rows_ = end;
    return;
  }
  for (; rows_ < end && rows_ % 8 != 0; ++rows_) {
    validity_[rows_ / 8] = static_cast<std::uint8_t>(validity_[rows_ / 8] | 1U << (rows_ % 8));
  }
  const std::size_t whole = (end - rows_) / 8;
  std::fill_n(
      validity_.begin() + static_cast<std::ptrdiff_t>(rows_ / 8), whole, std::uint8_t{0xFF}
  );
  rows_ += whole * 8;
  for (; rows_ < end; ++rows_) {
    validity_[rows_ / 8] = static_cast<std::uint8_t>(validity_[rows_ / 8] | 1U << (rows_ % 8));
  }
}

void Column::add_list(std::span<const std::byte> elements) {
  bytes_.insert(bytes_.end(), elements.begin(), elements.end());
  CHECK(bytes_.size() <= std::numeric_limits<std::uint32_t>::max(), "a batch stays below 4 GiB");
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  mark(true, 1);
}

void Column::append(
    std::span<const std::byte> elements, const std::uint64_t* validity, std::size_t first
) {
  const std::size_t size = element_size(spec_.datatype);
  const std::size_t count = elements.size() / size;
  const std::size_t begin = bytes_.size();
  bytes_.insert(bytes_.end(), elements.begin(), elements.end());
  if (validity == nullptr) return mark(true, count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = first + i;
    const bool is_value = (validity[bit / 64] >> (bit % 64) & 1U) != 0;
    // What stands where nothing is must not depend on who wrote it.
    if (!is_value) std::memset(bytes_.data() + begin + i * size, 0, size);
    mark(is_value, 1);
  }
}

Result<void> Column::assign(
    std::size_t rows,
    std::span<const std::byte> bytes,
    std::span<const std::byte> ends,
    std::span<const std::byte> validity
) {
  const bool is_variable = spec_.is_list || spec_.datatype == DataType::bytes;
  const std::size_t element = spec_.datatype == DataType::bytes ? 1 : element_size(spec_.datatype);
  clear();
  bool fits = validity.size() == (rows + 7) / 8;
  fits = fits && ends.size() == (is_variable ? rows * sizeof(std::uint32_t) : 0);
  fits = fits && (is_variable ? bytes.size() % element == 0 : bytes.size() == rows * element);
  ends_.resize(ends.size() / sizeof(std::uint32_t));
  if (!ends.empty()) std::memcpy(ends_.data(), ends.data(), ends_.size() * sizeof(std::uint32_t));
  std::uint32_t last = 0;
  for (const std::uint32_t end : ends_) {
    fits = fits && end >= last && end % element == 0;
    last = end;
  }
  if (!fits || (is_variable && last != bytes.size())) {
    clear();
    return fail(Code::corrupt, "the parts of column '{}' do not fit together", spec_.name);
  }
  bytes_.assign(bytes.begin(), bytes.end());
  validity_.resize(validity.size());
  if (!validity.empty()) std::memcpy(validity_.data(), validity.data(), validity.size());
  if (rows % 8 != 0) validity_.back() &= static_cast<std::uint8_t>((1U << (rows % 8)) - 1);
  std::size_t values = 0;
  for (const std::uint8_t bits : validity_) values += static_cast<std::size_t>(std::popcount(bits));
  rows_ = rows;
  null_count_ = rows - values;
  return {};
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
