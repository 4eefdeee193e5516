#include "protocol/v2_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

#include <fmt/core.h>

#include "protocol/v2_fields.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;

// Walks the arrays and stores the elements of type T in order, T being std::string_view for BYTES.
// When there are more elements than there is room for it goes on counting, for the message.
template <class T>
class DataDecoder {
 public:
  DataDecoder(JsonReader& reader, DataType datatype, const Shape& shape, InputTensor& input)
      : reader_(reader), datatype_(datatype), shape_(shape), input_(input) {
    sizes_.fill(-1);
  }

  Result<void> decode(std::size_t count) {
    // Each element takes at least a digit and a comma: a shape that promises more than the text can
    // hold gets no memory, only the message with both counts.
    room_ = reader_.bytes_left() / 2 >= count ? count : 0;
    if (room_ == count) {
      input_.tensor.reset(datatype_, shape_);
      if constexpr (!is_text) values_ = input_.tensor.template values<T>().data();
    }
    if (!walk(0)) {
      if (reader_.has_failed()) return malformed(reader_);
      return fail(Code::invalid_argument, "input '{}': {}", input_.name, problem_);
    }
    if (found_ != count) {
      return fail(
          Code::invalid_argument,
          "input '{}': shape {} has {} elements, but data has {}",
          input_.name,
          to_string(shape_),
          count,
          found_
      );
    }
    return check_nesting();
  }

 private:
  static constexpr bool is_text = std::is_same_v<T, std::string_view>;

  // One array and all that is in it.
  bool walk(std::size_t level) {
    if (!reader_.begin()) return false;
    std::size_t size = 0;
    if (reader_.next_element()) {
      if (reader_.kind() == JsonKind::array) {
        do {
          if (reader_.kind() != JsonKind::array) return refuse_mixture();
          if (!walk(level + 1)) return false;
          ++size;
        } while (reader_.next_element());
      } else {
        if (leaf_level_ != level && found_ > 0) return refuse_mixture();
        leaf_level_ = level;
        const std::size_t before = found_;
        if (!read_elements()) return false;
        size = found_ - before;
      }
    }
    if (reader_.has_failed()) return false;
    if (level < sizes_.size()) {
      const auto signed_size = static_cast<std::int64_t>(size);
      if (sizes_[level] < 0) sizes_[level] = signed_size;
      if (sizes_[level] != signed_size) is_ragged_ = true;
    }
    return true;
  }

  // All elements of an array, from the first one on.
  bool read_elements() {
    std::size_t index = found_;
    do {
      if constexpr (!is_text && !std::is_same_v<T, bool>) {
        if (take_plain_numbers(index)) continue;
        if (reader_.kind() == JsonKind::nothing) return reader_.fail("a value is missing");
      }
      T value{};
      if (!read_element(value, index)) return false;
      if (index < room_) {
        if constexpr (is_text) {
          input_.tensor.add_string(value);
        } else {
          values_[index] = value;
        }
      }
      ++index;
    } while (reader_.next_element());
    found_ = index;
    return !reader_.has_failed();
  }

  // Leaves everything that is not simply a number of the datatype to read_element(). True at the
  // end of the array.
  bool take_plain_numbers(std::size_t& index) {
    std::size_t at = index;
    T* const values = values_;
    const std::size_t room = room_;
    const bool is_at_end = reader_.take_numbers([&](const JsonNumber& number) {
      T value{};
      if (!convert(number, value)) return false;
      if (at < room) values[at] = value;
      ++at;
      return true;
    });
    index = at;
    return is_at_end;
  }

  static bool convert(const JsonNumber& number, T& value) {
    if constexpr (std::is_floating_point_v<T>) {
      double wide = 0;
      if (!to_double(number, wide)) return false;
      value = static_cast<T>(wide);
      return std::is_same_v<T, double> || std::abs(value) <= std::numeric_limits<T>::max();
    } else {
      return number.is_integer && to_integer(number, value);
    }
  }

  bool read_element(T& value, std::size_t index) {
    if constexpr (std::is_floating_point_v<T>) {
      JsonNumber number;
      if (!reader_.try_number(number)) return read_missing(value, index);
      return convert(number, value) || refuse_range(number, index);
    } else if constexpr (std::is_same_v<T, bool>) {
      return (reader_.kind() == JsonKind::boolean && reader_.boolean(value)) ||
             refuse_kind("true or false", index);
    } else if constexpr (is_text) {
      return (reader_.kind() == JsonKind::string && reader_.string(value)) ||
             refuse_kind("strings", index);
    } else {
      JsonNumber number;
      if (!reader_.try_number(number)) return refuse_kind("integers", index);
      if (convert(number, value)) return true;
      if (number.is_integer) return refuse_range(number, index);
      problem_ = fmt::format(
          "element {} is {}, which is not an integer; {} holds integers",
          index,
          std::string_view(number.begin, number.end),
          to_string(datatype_)
      );
      return false;
    }
  }

  // What may stand for a floating-point number.
  bool read_missing(T& value, std::size_t index) {
    double wide = std::numeric_limits<double>::quiet_NaN();
    const JsonKind kind = reader_.kind();
    if (kind == JsonKind::null) {
      if (!reader_.null()) return false;
    } else if (kind != JsonKind::not_finite) {
      return refuse_kind("numbers", index);
    } else if (!reader_.not_finite(wide)) {
      return false;
    }
    value = static_cast<T>(wide);
    if (std::isnan(wide)) input_.has_missing = true;
    return true;
  }

  bool refuse_kind(std::string_view wanted, std::size_t index) {
    const JsonKind kind = reader_.kind();
    if (kind == JsonKind::nothing) return reader_.fail("a value is missing");
    if (kind == JsonKind::number && wanted != "strings" && wanted != "true or false") {
      return reader_.fail("a malformed number");
    }
    if (kind == JsonKind::array) return refuse_mixture();
    const bool is_null = kind == JsonKind::null;
    problem_ = fmt::format(
        "element {} is {}; {} holds {}{}",
        index,
        to_string(kind),
        to_string(datatype_),
        wanted,
        is_null ? ", and only floating-point inputs may have missing ones" : ""
    );
    return false;
  }

  bool refuse_range(const JsonNumber& number, std::size_t index) {
    problem_ = fmt::format(
        "element {} is {}, which is outside the range of {}",
        index,
        std::string_view(number.begin, number.end).substr(0, 64),
        to_string(datatype_)
    );
    return false;
  }

  bool refuse_mixture() {
    if (reader_.has_failed()) return false;
    problem_ = "data mixes elements and arrays at one level of nesting";
    return false;
  }

  Result<void> check_nesting() const {
    const std::size_t rank = shape_.rank();
    if (rank < 2 || leaf_level_ + 1 != rank || found_ == 0) return {};
    const auto nested = std::span(sizes_).first(rank);
    if (!is_ragged_ && std::ranges::equal(nested, shape_.dimensions())) return {};
    const auto actual = Shape::of(nested);
    return fail(
        Code::invalid_argument,
        "input '{}': data is nested as {}, but its shape is {}",
        input_.name,
        is_ragged_ || !actual ? "arrays of different lengths" : to_string(*actual),
        to_string(shape_)
    );
  }

  JsonReader& reader_;
  DataType datatype_;
  const Shape& shape_;
  InputTensor& input_;
  T* values_ = nullptr;
  std::size_t room_ = 0;
  std::size_t found_ = 0;
  std::size_t leaf_level_ = 0;
  std::array<std::int64_t, Shape::max_rank> sizes_;  // Of the arrays of each level; -1 = none yet.
  bool is_ragged_ = false;
  std::string problem_;
};

}  // namespace

Result<void> decode_data(
    JsonReader& reader, DataType datatype, const Shape& shape, std::size_t count, InputTensor& input
) {
  const Place place{"input", input.name};
  TRY(want(reader, JsonKind::array, place, "data"));
  if (datatype == DataType::fp16 || datatype == DataType::bf16) {
    return fail(
        Code::invalid_argument,
        "input '{}': {} is binary only: send it with parameters.binary_data_size",
        input.name,
        to_string(datatype)
    );
  }
  if (datatype == DataType::bytes) {
    return DataDecoder<std::string_view>(reader, datatype, shape, input).decode(count);
  }
  return tensor::visit(datatype, [&](auto element) -> Result<void> {
    return DataDecoder<decltype(element)>(reader, datatype, shape, input).decode(count);
  });
}

}  // namespace weir::protocol
