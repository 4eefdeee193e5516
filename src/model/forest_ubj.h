#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"

// A reader for Universal Binary JSON (draft 12), for the part of it that XGBoost writes and a
// little more. Big-endian throughout.
//
//   value   Z null, N no-op, T true, F false
//           i int8, U uint8, I int16, l int32, L int64, d float32, D float64, C char
//           S length bytes           text; the length is one of the integers above
//           H length bytes           a number as text
//           [ value* ]               array
//           [ # count value*         array of known length, without an end mark
//           [ $ type # count raw*    the same with one type for all: i U I l L d D C
//           { (length key value)* }  object; "{ # count" is read too, "{ $" is refused
//
// Values are visited in the order of the file, without a copy of it. A value that the visitor does
// not consume is skipped. One thread at a time. The bytes must outlive the reader.

namespace weir::model {

class UbjReader {
 public:
  // Deeper nesting is refused; XGBoost needs 8.
  static constexpr int max_depth = 64;

  explicit UbjReader(std::string_view bytes) : bytes_(bytes) {}

  Result<char> marker();  // The next one that is not a no-op.
  Result<std::uint64_t> count();
  Result<std::string_view> take(std::uint64_t size);
  Result<std::string_view> text();  // A length and its bytes.
  Result<void> skip(char marker, int depth);
  bool accept(char marker);  // Consumes the next byte when it is the marker.
  std::size_t position() const { return position_; }

 private:
  Result<void> skip_array(int depth);
  Result<void> skip_object(int depth);

  std::string_view bytes_;
  std::size_t position_ = 0;
};

// Bytes of a number with this marker; 0 for everything else.
std::size_t ubj_size(char marker);

// Requires: at points to ubj_size(marker) bytes, which is not 0.
double ubj_float(char marker, const char* at);
std::int64_t ubj_integer(char marker, const char* at);
inline bool is_ubj_float(char marker) {
  return marker == 'd' || marker == 'D';
}

class UbjValue {
 public:
  UbjValue(UbjReader& reader, char marker, int depth)
      : reader_(&reader), marker_(marker), depth_(depth) {}

  // Calls field(key, UbjValue&) -> Result<void> for every field.
  template <class Field>
  Result<void> object(Field&& field);
  // Calls element(UbjValue&) -> Result<void> for every element.
  template <class Element>
  Result<void> array(Element&& element);
  // An array of numbers, each of which must fit T.
  template <class T>
  Result<void> numbers(std::vector<T>& numbers);
  // A text as it is; a number as text.
  Result<std::string> text();
  Result<void> skip() {
    is_consumed_ = true;
    return reader_->skip(marker_, depth_);
  }

 private:
  template <class T>
  Result<T> number(char marker, const char* at) const;
  Result<void> expect(char marker, std::string_view what);

  UbjReader* reader_;
  char marker_;
  int depth_;
  bool is_consumed_ = false;
};

// The root value.
Result<UbjValue> open_ubj(UbjReader& reader);

template <class Field>
Result<void> UbjValue::object(Field&& field) {
  TRY(expect('{', "an object"));
  bool is_counted = reader_->accept('#');
  std::uint64_t left = is_counted ? TRY(reader_->count()) : 0;
  while (is_counted ? left > 0 : !reader_->accept('}')) {
    --left;
    const std::string_view key = TRY(reader_->text());
    const char marker = TRY(reader_->marker());
    UbjValue value(*reader_, marker, depth_ + 1);
    TRY(field(key, value));
    if (!value.is_consumed_) TRY(value.skip());
  }
  return {};
}

template <class Element>
Result<void> UbjValue::array(Element&& element) {
  TRY(expect('[', "an array"));
  const char type = reader_->accept('$') ? TRY(reader_->marker()) : '\0';
  if (type != '\0' && ubj_size(type) == 0) {
    return fail(Code::invalid_argument, "an array has elements of the unknown type '{}'", type);
  }
  const bool is_counted = reader_->accept('#');
  if (type != '\0' && !is_counted) {
    return fail(Code::invalid_argument, "an array has a type but no count");
  }
  std::uint64_t left = is_counted ? TRY(reader_->count()) : 0;
  while (is_counted ? left > 0 : !reader_->accept(']')) {
    --left;
    const char marker = type != '\0' ? type : TRY(reader_->marker());
    UbjValue value(*reader_, marker, depth_ + 1);
    TRY(element(value));
    if (!value.is_consumed_) TRY(value.skip());
  }
  return {};
}

template <class T>
Result<T> UbjValue::number(char marker, const char* at) const {
  if constexpr (std::floating_point<T>) {
    return static_cast<T>(
        is_ubj_float(marker) ? ubj_float(marker, at) : static_cast<double>(ubj_integer(marker, at))
    );
  } else {
    const std::int64_t value = is_ubj_float(marker) ? 0 : ubj_integer(marker, at);
    if (is_ubj_float(marker) || !std::in_range<T>(value)) {
      return fail(
          Code::invalid_argument, "a number before byte {} does not fit", reader_->position()
      );
    }
    return static_cast<T>(value);
  }
}

template <class T>
Result<void> UbjValue::numbers(std::vector<T>& numbers) {
  numbers.clear();
  const bool is_typed = marker_ == '[';
  if (!is_typed) return expect('[', "an array of numbers");
  is_consumed_ = true;
  if (depth_ > UbjReader::max_depth) return fail(Code::invalid_argument, "it is nested too deeply");
  const char type = reader_->accept('$') ? TRY(reader_->marker()) : '\0';
  const bool is_counted = reader_->accept('#');
  std::uint64_t left = is_counted ? TRY(reader_->count()) : 0;
  if (type != '\0') {
    const std::size_t size = ubj_size(type);
    if (size == 0 || !is_counted || left > std::numeric_limits<std::uint64_t>::max() / 8) {
      return fail(Code::invalid_argument, "an array of type '{}' is not one of numbers", type);
    }
    const std::string_view raw = TRY(reader_->take(left * size));  // The count is true from here.
    numbers.reserve(left);
    for (std::size_t at = 0; at < raw.size(); at += size) {
      numbers.push_back(TRY(number<T>(type, raw.data() + at)));
    }
    return {};
  }
  while (is_counted ? left > 0 : !reader_->accept(']')) {
    --left;
    const char marker = TRY(reader_->marker());
    if (marker == 'T' || marker == 'F') {
      numbers.push_back(static_cast<T>(marker == 'T'));
      continue;
    }
    if (ubj_size(marker) == 0) {
      return fail(Code::invalid_argument, "byte {} should begin a number", reader_->position() - 1);
    }
    const std::string_view raw = TRY(reader_->take(ubj_size(marker)));
    numbers.push_back(TRY(number<T>(marker, raw.data())));
  }
  return {};
}

}  // namespace weir::model
