#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "http/compress.h"
#include "http/connection.h"
#include "http/respond.h"

// The part of Connection that reads bodies, and refuses what is too large, too late or broken.

namespace weir::http {
namespace {

// The first room for a body that does not fit behind its head.
constexpr std::uint64_t first_body_bytes = 64 * 1024;

std::string too_large(std::uint64_t limit) {
  return fmt::format("the body of the request has more than {} bytes (max_body_bytes)", limit);
}

std::string retry_after(const Admission& refusal) {
  if (refusal.status != 429 && refusal.status != 503) return {};
  return fmt::format("Retry-After: {}\r\n", refusal.retry_after_s);
}

}  // namespace

Connection::Progress Connection::begin_body(std::size_t head_bytes) {
  const Head& head = memory_->head;
  next_begin_ = memory_->begin + head_bytes;
  body_left_ = head.content_length;
  const Admission admission = context_.handler.admit(head.request, head.content_length);
  if (admission.status != 0) return refuse_body(admission);
  body_limit_ =
      admission.max_body_bytes > 0 ? admission.max_body_bytes : context_.options.max_body_bytes;
  if (head.content_coding == Coding::unknown) {
    return refuse_body(
        {.status = 415,
         .message = "the only Content-Encoding of this server are 'gzip' and 'deflate'"}
    );
  }
  if (head.content_length > body_limit_) {
    context_.counts.over_limit.add();
    const std::string message = too_large(body_limit_);
    return refuse_body({.status = 413, .message = message});
  }
  const std::string_view arrived = memory_->input.view().substr(next_begin_);
  if (head.is_chunked) {
    body_place_ = BodyPlace::chunks;
    chunked_ = ChunkedDecoder(context_.options.max_head_bytes);
  } else if (arrived.size() >= head.content_length) {
    body_place_ = BodyPlace::behind_head;
    return finish_body();
  } else if (head.content_length <= memory_->input.capacity() - next_begin_) {
    body_place_ = BodyPlace::behind_head;
  } else {
    body_place_ = BodyPlace::own_buffer;
    memory_->body.append(arrived);
    next_begin_ = memory_->input.size();
  }
  state_ = State::body;
  context_.waits.set(*this, Wait::body, context_.now_ns);
  if (arrived.empty()) send_continue();
  return head.is_chunked ? take_chunks(arrived) : Progress::goes_on;
}

// Only a client that waits for it is told to go on.
void Connection::send_continue() {
  if (memory_->head.expects_continue) write("HTTP/1.1 100 Continue\r\n\r\n", {});
}

Connection::Progress Connection::take_body() {
  if (has_ended_) return end_of_input();
  if (!is_readable_) {
    if (wait != Wait::body) context_.waits.set(*this, Wait::body, context_.now_ns);
    if (account()) return Progress::waits;
    context_.counts.over_limit.add();
    return refuse(503, "the bodies of too many requests are being received; try again later");
  }
  if (body_place_ != BodyPlace::chunks) return take_fixed();
  Buffer& raw = context_.scratch;
  raw.clear();
  raw.reserve(RequestMemoryPool::input_bytes);
  return fill(raw) ? take_chunks(raw.view()) : Progress::goes_on;
}

Connection::Progress Connection::take_fixed() {
  const bool is_behind_head = body_place_ == BodyPlace::behind_head;
  Buffer& place = is_behind_head ? memory_->input : memory_->body;
  const std::uint64_t length = memory_->head.content_length;
  const std::uint64_t have = place.size() - (is_behind_head ? next_begin_ : 0);
  if (!is_behind_head && place.space().empty()) {
    // Room grows with what has arrived, not with what was announced.
    if (!grow_body(std::min(length, std::max(first_body_bytes, 2 * have)))) {
      return Progress::goes_on;
    }
  }
  if (!fill(place, static_cast<std::size_t>(length - have))) return Progress::goes_on;
  const std::uint64_t has_now = place.size() - (is_behind_head ? next_begin_ : 0);
  return has_now == length ? finish_body() : Progress::goes_on;
}

// `raw` follows the head in the input, or was received later into the scratch buffer.
Connection::Progress Connection::take_chunks(std::string_view raw) {
  std::string_view left = raw;
  while (true) {
    const ChunkedDecoder::Step step = chunked_.step(left);
    left.remove_prefix(step.consumed);
    if (!step.data.empty()) {
      const std::uint64_t size = memory_->body.size() + step.data.size();
      if (size > body_limit_) {
        context_.counts.over_limit.add();
        return refuse(413, too_large(body_limit_));
      }
      const std::uint64_t room = std::max(size, std::min<std::uint64_t>(2 * size, body_limit_));
      if (size > memory_->body.capacity() && !grow_body(room)) return Progress::goes_on;
      memory_->body.append(step.data);
      continue;
    }
    if (step.outcome == ChunkedDecoder::Outcome::malformed) {
      context_.counts.malformed.add();
      return refuse(400, "the chunks of the body are broken");
    }
    if (step.outcome == ChunkedDecoder::Outcome::done) break;
    next_begin_ = memory_->input.size();
    return Progress::goes_on;
  }
  const bool is_in_input = raw.data() == memory_->input.data() + next_begin_;
  next_begin_ = is_in_input ? memory_->input.size() - left.size() : memory_->input.size();
  if (!is_in_input) rest_.append(left);
  return finish_body();
}

// False when the request has been refused, because all connections together hold too much.
bool Connection::grow_body(std::uint64_t wanted) {
  memory_->body.reserve(static_cast<std::size_t>(wanted));
  if (account()) return true;
  context_.counts.over_limit.add();
  refuse(503, "the bodies of too many requests are being received; try again later");
  return false;
}

Connection::Progress Connection::finish_body() {
  RequestMemory& memory = *memory_;
  // An empty body too is followed by readable bytes: those of the input.
  std::string_view body = memory.input.view().substr(0, 0);
  if (body_place_ == BodyPlace::behind_head) {
    const auto length = static_cast<std::size_t>(memory.head.content_length);
    body = memory.input.view().substr(next_begin_, length);
    next_begin_ += length;
  } else if (!memory.body.is_empty()) {
    body = memory.body.view();
  }
  if (memory.head.content_coding == Coding::identity || body.empty()) return deliver(body);
  const std::uint64_t left = context_.budget.left();
  const Result<void> inflated = context_.compressor.inflate(
      memory.head.content_coding, body, std::min(body_limit_, left), memory.inflated
  );
  const bool is_within = account();
  if (inflated && is_within) {
    return deliver(memory.inflated.is_empty() ? body.substr(0, 0) : memory.inflated.view());
  }
  if (!inflated && inflated.error().code == Code::invalid_argument) {
    context_.counts.malformed.add();
    return refuse(400, inflated.error().message);
  }
  context_.counts.over_limit.add();
  if (body_limit_ <= left) return refuse(413, inflated.error().message);
  return refuse(503, "the bodies of too many requests are being received; try again later");
}

// The client has closed its side in the middle of a request, or between two.
Connection::Progress Connection::end_of_input() {
  if (state_ == State::head && unread().empty() && rest_.is_empty()) {
    close_now();
    return Progress::waits;
  }
  context_.counts.malformed.add();
  if (state_ == State::head) {
    return refuse_head(400, "the connection ended in the middle of the request's head");
  }
  return refuse(400, "the connection ended in the middle of the request's body");
}

// Answers with an error and closes, because what follows on the connection cannot be understood or
// is not wanted.
Connection::Progress Connection::refuse(int status, std::string_view message) {
  return refuse({.status = status, .message = message});
}

Connection::Progress Connection::refuse(const Admission& refusal) {
  keeps_alive_ = false;
  leaves_unread_ = true;
  write_answer(
      refusal.status, "application/json", error_body(refusal.message), retry_after(refusal)
  );
  if (state_ != State::closed) state_ = State::closing;
  return Progress::goes_on;
}

// Before the head has been read: what is known of a request is of an earlier one.
Connection::Progress Connection::refuse_head(int status, std::string_view message) {
  if (memory_) memory_->head = Head();
  return refuse(status, message);
}

// After the head and before the body: a short body is read away, so that a client that is told to
// come back later can do so on this connection.
Connection::Progress Connection::refuse_body(const Admission& refusal) {
  const Head& head = memory_->head;
  const std::uint64_t arrived =
      std::min<std::uint64_t>(memory_->input.size() - next_begin_, body_left_);
  // A client that waits for "100 Continue" may or may not send its body after another answer.
  const bool is_body_doubtful = head.expects_continue && arrived < body_left_;
  if (!keeps_alive_ || head.is_chunked || is_body_doubtful ||
      body_left_ > context_.options.max_discarded_bytes) {
    return refuse(refusal);
  }
  write_answer(
      refusal.status, "application/json", error_body(refusal.message), retry_after(refusal)
  );
  if (state_ == State::closed) return Progress::waits;
  next_begin_ += static_cast<std::size_t>(arrived);
  body_left_ -= arrived;
  after_answer();
  if (body_left_ > 0) {
    state_ = State::discard;
    context_.waits.set(*this, Wait::body, context_.now_ns);
  }
  return Progress::goes_on;
}

}  // namespace weir::http
