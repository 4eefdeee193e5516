#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Bytes that grow at the end. Not initialised, so that room for a large body costs nothing until
// bytes arrive; always followed by `padding` readable bytes, which JSON parsers want.

namespace weir::http {

// One thread at a time. Views into it are valid until it grows or is moved from.
class Buffer {
 public:
  static constexpr std::size_t padding = 64;

  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { release(); }

  char* data() { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool is_empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  // Makes room for so many bytes in all.
  void reserve(std::size_t capacity);
  // The room after the end; what is written there counts after add().
  std::span<char> space() { return {data_ + size_, capacity_ - size_}; }
  void add(std::size_t count);
  // Grows by at least half of itself when it must grow.
  void append(std::string_view bytes);
  void append_decimal(std::uint64_t value);
  // Keeps the first `size` bytes.
  void truncate(std::size_t size);
  void remove_front(std::size_t count);
  // Forgets the bytes and keeps the memory; release() gives the memory back too.
  void clear() { size_ = 0; }
  void release();

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace weir::http
