#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// Takes a chunked body apart (RFC 9112, 7.1). As strict as the head: CR LF only, nothing but an
// extension after the size. Extensions and trailers are checked for length and thrown away.

namespace weir::http {

class ChunkedDecoder {
 public:
  enum class Outcome : std::uint8_t { more, done, malformed };
  struct Step {
    Outcome outcome = Outcome::more;
    std::size_t consumed = 0;  // From the front of the input.
    std::string_view data;     // Part of the body, borrowed from the input.
  };

  // `max_extra_bytes` bounds all that is not data: sizes, extensions and trailers together, beside
  // the bytes that any chunk needs.
  explicit ChunkedDecoder(std::uint64_t max_extra_bytes = 0) : extra_left_(max_extra_bytes) {}

  // Goes on until one run of data is found, the body ends or the input does. With Outcome::more
  // and less than all consumed, call again with the rest.
  Step step(std::string_view input);

 private:
  enum class State : std::uint8_t {
    size_start,
    size,
    extension,
    size_line_feed,
    data,
    data_return,
    data_line_feed,
    line_start,  // Of a trailer, or the empty line that ends the body.
    trailer,
    trailer_line_feed,
    last_line_feed,
    done,
    malformed
  };
  State next_state(char c);
  State after_size(char c);
  State spend(State next);

  State state_ = State::size_start;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t extra_left_;
};

}  // namespace weir::http
