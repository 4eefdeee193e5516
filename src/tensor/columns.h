#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/datatype.h"

// Records as columns: made once by the recorder, read by the ledger and by the monitors.

namespace weir::tensor {

struct ColumnSpec {
  std::string name;
  DataType datatype = DataType::fp64;  // `bytes` is text.
  bool is_list = false;                // One list of elements per row.
  bool operator==(const ColumnSpec&) const = default;
};

// The columns of a batch, in order. Immutable once shared.
using ColumnSpecs = std::vector<ColumnSpec>;

// One column of a batch. Every row is either a value or null. Memory is kept when it is cleared.
// One thread at a time.
class Column {
 public:
  explicit Column(const ColumnSpec& spec) : spec_(spec) {}

  const ColumnSpec& spec() const { return spec_; }
  std::size_t rows() const { return rows_; }

  // The same value for so many rows. Requires: not a list, sizeof(T) is the element size.
  template <class T>
  void add(T value, std::size_t count = 1) {
    std::fill_n(add_space<T>(count), count, value);
    mark(true, count);
  }
  // A row for each of so many values that lie `stride` apart; NaN is null. Requires: as for add().
  template <std::floating_point T>
  void add_spaced(const T* first, std::size_t stride, std::size_t count) {
    T* space = add_space<T>(count);
    bool has_nan = false;
    for (std::size_t i = 0; i < count; ++i) {
      space[i] = first[i * stride];
      has_nan = has_nan || std::isnan(space[i]);
    }
    if (!has_nan) return mark(true, count);
    for (std::size_t i = 0; i < count; ++i) {
      const bool is_value = !std::isnan(space[i]);
      if (!is_value) space[i] = 0;
      mark(is_value, 1);
    }
  }
  // Requires: not a list, datatype `bytes`.
  void add_text(std::string_view value, std::size_t count = 1);
  void add_null(std::size_t count = 1);
  // A list of fixed-size elements. Requires: is_list, datatype not `bytes`.
  void add_list(std::span<const std::byte> elements);
  // Many rows at once: their elements, and from bit `first` of `validity` on (bit i & 63 of word
  // i >> 6) a 1 for each value; null when all are values. Requires: not a list, fixed-size
  // datatype.
  void append(
      std::span<const std::byte> elements, const std::uint64_t* validity, std::size_t first = 0
  );
  // All rows, from parts as they are described below. Parts that do not fit together are corrupt.
  Result<void> assign(
      std::size_t rows,
      std::span<const std::byte> bytes,
      std::span<const std::byte> ends,
      std::span<const std::byte> validity
  );

  bool is_null(std::size_t row) const { return (validity_[row / 8] >> (row % 8) & 1U) == 0; }
  // Requires: not a list, fixed-size datatype; a null row holds zero.
  template <class T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(bytes_.data()), rows_};
  }
  // The text of a row, or the bytes of its list. Requires: is_list or datatype `bytes`.
  std::string_view text(std::size_t row) const {
    const std::uint32_t begin = row == 0 ? 0 : ends_[row - 1];
    return {reinterpret_cast<const char*>(bytes_.data()) + begin, ends_[row] - begin};
  }

  // The parts as they are, for writing: element bytes, ends of variable-length rows (uint32,
  // empty for fixed-size columns), validity bits (bit i & 7 of byte i >> 3; 1 = value).
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<const std::uint32_t> ends() const { return ends_; }
  std::span<const std::uint8_t> validity() const { return validity_; }
  bool has_nulls() const { return null_count_ > 0; }

  std::size_t size_bytes() const {
    return bytes_.size() + ends_.size() * sizeof(std::uint32_t) + validity_.size();
  }
  void clear();

 private:
  template <class T>
  T* add_space(std::size_t count) {
    const std::size_t begin = bytes_.size();
    bytes_.resize(begin + count * sizeof(T));
    return reinterpret_cast<T*>(bytes_.data() + begin);
  }
  void mark(bool valid, std::size_t count) {
    if (count > 1) return mark_many(valid, count);
    if (count == 0) return;
    if (rows_ % 8 == 0) validity_.push_back(0);
    if (valid) {
      validity_[rows_ / 8] = static_cast<std::uint8_t>(validity_[rows_ / 8] | 1U << (rows_ % 8));
    } else {
      ++null_count_;
    }
    ++rows_;
  }
  void mark_many(bool valid, std::size_t count);

  ColumnSpec spec_;
  std::vector<std::byte> bytes_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::uint8_t> validity_;
  std::size_t rows_ = 0;
  std::size_t null_count_ = 0;
};

// A batch of rows. Every column has the same number of rows between two calls.
class Columns {
 public:
  explicit Columns(std::shared_ptr<const ColumnSpecs> specs);

  const std::shared_ptr<const ColumnSpecs>& specs() const { return specs_; }
  std::size_t rows() const { return columns_.empty() ? 0 : columns_.front().rows(); }
  std::size_t width() const { return columns_.size(); }
  Column& operator[](std::size_t index) { return columns_[index]; }
  const Column& operator[](std::size_t index) const { return columns_[index]; }
  std::size_t size_bytes() const;
  void clear();

 private:
  std::shared_ptr<const ColumnSpecs> specs_;
  std::vector<Column> columns_;
};

}  // namespace weir::tensor
