#include "protocol/wire.h"

namespace weir::protocol {
namespace {

constexpr int max_varint_bytes = 10;
constexpr int max_tag_bytes = 5;  // Of tags and lengths, which have 32 bits.

}  // namespace

std::uint64_t WireReader::read_varint(int max_bytes) {
  std::uint64_t value = 0;
  for (int count = 0; count < max_bytes; ++count) {
    if (at_ == end_) break;
    const auto byte = static_cast<unsigned char>(*at_++);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7 * count);
    if (byte < 0x80) return value;
  }
  return fail_with(std::uint64_t{0});
}

bool WireReader::next() {
  if (at_ == end_) return false;
  const std::uint64_t tag = read_varint(max_tag_bytes);
  const bool is_number = tag >= 8 && tag <= UINT32_MAX;
  const std::uint32_t form = tag & 7U;
  if (!is_number || form == 3 || form == 4 || form > 5) return fail_with(false);
  tag_ = static_cast<std::uint32_t>(tag);
  return true;
}

std::uint64_t WireReader::varint() {
  return read_varint(max_varint_bytes);
}

std::string_view WireReader::bytes() {
  const std::uint64_t size = read_varint(max_tag_bytes);
  if (size > left()) return fail_with(std::string_view());
  const std::string_view value(at_, static_cast<std::size_t>(size));
  at_ += value.size();
  return value;
}

void WireReader::skip() {
  switch (static_cast<WireForm>(tag_ & 7U)) {
    case WireForm::varint:
      varint();
      return;
    case WireForm::fixed64:
      fixed<std::uint64_t>();
      return;
    case WireForm::bytes:
      bytes();
      return;
    case WireForm::fixed32:
      fixed<std::uint32_t>();
      return;
  }
}

}  // namespace weir::protocol
