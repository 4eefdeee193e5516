#include "http/chunked.h"

#include <algorithm>

namespace weir::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Visible characters, spaces and tabs: all that a line may hold.
bool is_text(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

// Sizes with more digits than this cannot be told from an overflow.
constexpr std::uint64_t max_size_before_digit = UINT64_MAX >> 8;

}  // namespace

ChunkedDecoder::State ChunkedDecoder::spend(State next) {
  if (extra_left_ == 0) return State::malformed;
  --extra_left_;
  return next;
}

ChunkedDecoder::State ChunkedDecoder::after_size(char c) {
  if (c == '\r') return State::size_line_feed;
  if (c == ';') return spend(State::extension);
  const int digit = hex_digit(c);
  if (digit < 0 || chunk_left_ > max_size_before_digit) return State::malformed;
  // Zeros in front make a size longer without end, so they are paid for like an extension.
  const bool is_padding = chunk_left_ == 0;
  chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
  return is_padding ? spend(State::size) : State::size;
}

ChunkedDecoder::State ChunkedDecoder::next_state(char c) {
  switch (state_) {
    case State::size_start:
      chunk_left_ = static_cast<std::uint64_t>(std::max(hex_digit(c), 0));
      return hex_digit(c) < 0 ? State::malformed : State::size;
    case State::size:
      return after_size(c);
    case State::extension:
      if (c == '\r') return State::size_line_feed;
      return is_text(c) ? spend(State::extension) : State::malformed;
    case State::size_line_feed:
      if (c != '\n') return State::malformed;
      return chunk_left_ == 0 ? State::line_start : State::data;
    case State::data_return:
      return c == '\r' ? State::data_line_feed : State::malformed;
    case State::data_line_feed:
      return c == '\n' ? State::size_start : State::malformed;
    case State::line_start:
      if (c == '\r') return State::last_line_feed;
      // A trailer line cannot begin with a space: that would be a folded one.
      return is_text(c) && c != ' ' && c != '\t' ? spend(State::trailer) : State::malformed;
    case State::trailer:
      if (c == '\r') return State::trailer_line_feed;
      return is_text(c) ? spend(State::trailer) : State::malformed;
    case State::trailer_line_feed:
      return c == '\n' ? spend(State::line_start) : State::malformed;
    case State::last_line_feed:
      return c == '\n' ? State::done : State::malformed;
    case State::data:
    case State::done:
    case State::malformed:
      break;
  }
  return state_;
}

ChunkedDecoder::Step ChunkedDecoder::step(std::string_view input) {
  std::size_t consumed = 0;
  while (state_ != State::done && state_ != State::malformed) {
    if (state_ == State::data) {
      const std::string_view data = input.substr(consumed, chunk_left_);
      chunk_left_ -= data.size();
      if (chunk_left_ == 0) state_ = State::data_return;
      return {Outcome::more, consumed + data.size(), data};
    }
    if (consumed == input.size()) return {Outcome::more, consumed, {}};
    state_ = next_state(input[consumed++]);
  }
  return {state_ == State::done ? Outcome::done : Outcome::malformed, consumed, {}};
}

}  // namespace weir::http
