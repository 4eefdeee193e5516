#include "model/forest_ubj.h"

namespace weir::model {
namespace {

template <class T>
T big_endian(const char* at) {
  using Bits = std::conditional_t<
      sizeof(T) == 8,
      std::uint64_t,
      std::conditional_t<
          sizeof(T) == 4,
          std::uint32_t,
          std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>;
  Bits bits = 0;
  std::memcpy(&bits, at, sizeof(Bits));
  if constexpr (sizeof(T) == 8) {
    bits = __builtin_bswap64(bits);
  } else if constexpr (sizeof(T) == 4) {
    bits = __builtin_bswap32(bits);
  } else if constexpr (sizeof(T) == 2) {
    bits = __builtin_bswap16(bits);
  }
  return std::bit_cast<T>(bits);
}

}  // namespace

std::size_t ubj_size(char marker) {
  switch (marker) {
    case 'i':
    case 'U':
    case 'C':
      return 1;
    case 'I':
      return 2;
    case 'l':
    case 'd':
      return 4;
    case 'L':
    case 'D':
      return 8;
    default:
      return 0;
  }
}

double ubj_float(char marker, const char* at) {
  return marker == 'd' ? static_cast<double>(big_endian<float>(at)) : big_endian<double>(at);
}

std::int64_t ubj_integer(char marker, const char* at) {
  switch (marker) {
    case 'i':
      return big_endian<std::int8_t>(at);
    case 'I':
      return big_endian<std::int16_t>(at);
    case 'l':
      return big_endian<std::int32_t>(at);
    case 'L':
      return big_endian<std::int64_t>(at);
    default:
      return big_endian<std::uint8_t>(at);
  }
}

Result<char> UbjReader::marker() {
  while (accept('N')) {
  }
  return TRY(take(1))[0];
}

bool UbjReader::accept(char marker) {
  if (position_ >= bytes_.size() || bytes_[position_] != marker) return false;
  ++position_;
  return true;
}

Result<std::string_view> UbjReader::take(std::uint64_t size) {
  if (size > bytes_.size() - position_) {
    return fail(
        Code::invalid_argument,
        "it is truncated: byte {} begins {} bytes, but the file has {}",
        position_,
        size,
        bytes_.size()
    );
  }
  const std::string_view taken = bytes_.substr(position_, size);
  position_ += size;
  return taken;
}

Result<std::uint64_t> UbjReader::count() {
  const char kind = TRY(marker());
  if (ubj_size(kind) == 0 || is_ubj_float(kind)) {
    return fail(Code::invalid_argument, "byte {} should begin a length", position_ - 1);
  }
  const std::string_view raw = TRY(take(ubj_size(kind)));
  const std::int64_t value = ubj_integer(kind, raw.data());
  if (value < 0) {
    return fail(Code::invalid_argument, "there is a negative length before byte {}", position_);
  }
  return static_cast<std::uint64_t>(value);
}

Result<std::string_view> UbjReader::text() {
  const std::uint64_t size = TRY(count());
  return take(size);
}

Result<void> UbjReader::skip(char marker, int depth) {
  if (depth > max_depth) return fail(Code::invalid_argument, "it is nested too deeply");
  if (const std::size_t size = ubj_size(marker); size > 0) {
    TRY(take(size));
    return {};
  }
  switch (marker) {
    case 'Z':
    case 'T':
    case 'F':
      return {};
    case 'S':
    case 'H':
      TRY(text());
      return {};
    case '[':
      return skip_array(depth);
    case '{':
      return skip_object(depth);
    default:
      return fail(Code::invalid_argument, "byte {} should begin a value", position_ - 1);
  }
}

Result<void> UbjReader::skip_array(int depth) {
  const char type = accept('$') ? TRY(marker()) : '\0';
  const bool is_counted = accept('#');
  std::uint64_t left = is_counted ? TRY(count()) : 0;
  if (type != '\0') {
    const std::size_t size = ubj_size(type);
    if (size == 0 || !is_counted || left > std::numeric_limits<std::uint64_t>::max() / 8) {
      return fail(Code::invalid_argument, "an array has elements of the unknown type '{}'", type);
    }
    TRY(take(left * size));
    return {};
  }
  while (is_counted ? left > 0 : !accept(']')) {
    --left;
    const char element = TRY(marker());
    TRY(skip(element, depth + 1));
  }
  return {};
}

Result<void> UbjReader::skip_object(int depth) {
  const bool is_counted = accept('#');
  std::uint64_t left = is_counted ? TRY(count()) : 0;
  while (is_counted ? left > 0 : !accept('}')) {
    --left;
    TRY(text());
    const char value = TRY(marker());
    TRY(skip(value, depth + 1));
  }
  return {};
}

Result<void> UbjValue::expect(char marker, std::string_view what) {
  is_consumed_ = true;
  if (marker_ != marker) {
    return fail(Code::invalid_argument, "byte {} should begin {}", reader_->position() - 1, what);
  }
  if (depth_ > UbjReader::max_depth) return fail(Code::invalid_argument, "it is nested too deeply");
  return {};
}

Result<std::string> UbjValue::text() {
  is_consumed_ = true;
  if (marker_ == 'S' || marker_ == 'H') return std::string(TRY(reader_->text()));
  if (ubj_size(marker_) == 0) {
    return fail(Code::invalid_argument, "byte {} should begin a text", reader_->position() - 1);
  }
  const std::string_view raw = TRY(reader_->take(ubj_size(marker_)));
  if (is_ubj_float(marker_)) return fmt::format("{}", ubj_float(marker_, raw.data()));
  return fmt::format("{}", ubj_integer(marker_, raw.data()));
}

Result<UbjValue> open_ubj(UbjReader& reader) {
  const char marker = TRY(reader.marker());
  return UbjValue(reader, marker, 1);
}

}  // namespace weir::model
