#include "http/buffer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace weir::http {

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

void Buffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  // realloc, because the system moves large blocks without copying them.
  auto* grown = static_cast<char*>(std::realloc(data_, capacity + padding));
  CHECK(grown != nullptr, "the memory for buffers is bounded by ServerOptions::max_buffered_bytes");
  data_ = grown;
  capacity_ = capacity;
}

void Buffer::add(std::size_t count) {
  CHECK(count <= capacity_ - size_, "only the room that space() showed can have been written");
  size_ += count;
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (bytes.size() > capacity_ - size_) {
    reserve(std::max(size_ + bytes.size(), capacity_ + capacity_ / 2));
  }
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void Buffer::append_decimal(std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void Buffer::truncate(std::size_t size) {
  CHECK(size <= size_, "a buffer is cut, not stretched");
  size_ = size;
}

void Buffer::remove_front(std::size_t count) {
  CHECK(count <= size_, "only bytes that are there can be removed");
  size_ -= count;
  if (size_ > 0 && count > 0) std::memmove(data_, data_ + count, size_);
}

void Buffer::release() {
  std::free(data_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace weir::http
