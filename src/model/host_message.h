#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/signature.h"
#include "tensor/tensor.h"

// What a server and the process of one of its models say to each other: messages of a kind and some
// fields over stream sockets between two copies of the same program.

namespace weir::model {

enum class MessageKind : std::uint16_t {
  // To the process. `load` comes first and once, on the socket it was started with.
  load,
  lane,  // Carries a socket on which calls will come, one at a time.
  infer,
  // From it.
  loaded,
  answer,
  failed,
};

// Fields are read in the order in which they were put; reading past them is an error, so that a
// process gone mad cannot make the server read wild memory. It keeps its memory when it is cleared.
// One thread at a time.
class Message {
 public:
  void clear();
  void put(std::uint64_t number);
  void put(std::string_view text);
  void put(const tensor::Shape& shape);
  void put(const Signature& signature);
  void put(const std::vector<tensor::Tensor>& tensors);
  void put(const Error& error);

  Result<std::uint64_t> take_number();
  Result<std::string_view> take_text();  // Valid until the message changes.
  Result<tensor::Shape> take_shape();
  Result<Signature> take_signature();
  // In place of what is there, with its memory.
  Result<void> take_tensors(std::vector<tensor::Tensor>& tensors);
  Result<Error> take_error();

  const std::string& bytes() const { return bytes_; }
  // For receiving: the next message is read into it.
  std::string& reset_bytes(std::uint64_t size);

 private:
  Result<std::uint64_t> take_count();
  Result<std::vector<TensorSpec>> take_specs();

  std::string bytes_;
  std::size_t position_ = 0;
};

// How long the other end may take, and how large its message may be.
struct MessageLimits {
  std::uint64_t max_bytes = 0;
  std::int64_t deadline_ns = 0;  // On the monotonic clock; 0: no limit.
  int stop = -1;                 // A descriptor that ends the waiting when it can be read.
};

// Errors: unavailable when the other end is closed (or `stop` came), deadline, corrupt when it is
// no message of this version, exhausted when it is too long; of these only the last leaves the
// socket usable, and only when sending. `descriptor` is copied to the other process with the
// message; -1: none.
Result<void> send_message(
    int socket,
    MessageKind kind,
    const Message& message,
    const MessageLimits& limits,
    int descriptor = -1
);
// `descriptor`, where asked for, is the one that came along, or -1; it is the caller's to close.
Result<MessageKind> receive_message(
    int socket, Message& message, const MessageLimits& limits, int* descriptor = nullptr
);

// Until the socket can be read or is closed; a deadline or unavailable (`stop`) otherwise.
Result<void> wait_for_message(int socket, const MessageLimits& limits);

}  // namespace weir::model
