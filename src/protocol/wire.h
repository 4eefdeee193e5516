#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// The wire format of protocol buffers: fields with a number and one of four forms. Pure.

namespace weir::protocol {

enum class WireForm : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// Number and form of a field in one number, to switch over.
constexpr std::uint32_t wire_tag(std::uint32_t field, WireForm form) {
  return field << 3 | static_cast<std::uint32_t>(form);
}

// Reads the fields of one message in place. Every reader returns false when the bytes are not what
// they should be; has_failed() then stays true.
//
//   while (reader.next()) {
//     switch (reader.tag()) { case …: take(reader.bytes()); break; default: reader.skip(); } }
class WireReader {
 public:
  explicit WireReader(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // Moves to the next field; false at the end of the message and after a failure. A known number
  // with another form than expected is to be skipped, as an unknown number is. Groups, which no
  // message of ours has, are refused.
  bool next();
  std::uint32_t tag() const { return tag_; }
  bool has_failed() const { return has_failed_; }

  // The value of the field; zero or empty after a failure.
  std::uint64_t varint();
  std::string_view bytes();
  template <class T>
  T fixed() {
    T value{};
    if (left() < sizeof(T)) return fail_with(value);
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  void skip();

  // Inside a run of packed values, which have no tags.
  bool has_more() const { return at_ != end_ && !has_failed_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  // At most `max_bytes` bytes of seven bits each.
  std::uint64_t read_varint(int max_bytes);
  template <class T>
  T fail_with(T value) {
    has_failed_ = true;
    at_ = end_;
    return value;
  }

  const char* at_;
  const char* end_;
  std::uint32_t tag_ = 0;
  bool has_failed_ = false;
};

// Appends fields to a message. Default values are not left out: that is up to the caller.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    out_ += static_cast<char>(value);
  }
  // The tag and the length; so many bytes have to follow.
  void begin_bytes(std::uint32_t field, std::uint64_t size) {
    varint(wire_tag(field, WireForm::bytes));
    varint(size);
  }
  void bytes(std::uint32_t field, std::string_view value) {
    begin_bytes(field, value.size());
    out_ += value;
  }

 private:
  std::string& out_;
};

constexpr std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

}  // namespace weir::protocol
