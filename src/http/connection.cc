#include "http/connection.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/check.h"
#include "http/cors.h"

namespace weir::http {
namespace {

// One connection does not keep the others of its loop waiting for longer than this takes.
constexpr std::uint32_t max_turn_bytes = 256 * 1024;
constexpr std::uint16_t max_turn_requests = 32;

// The start of a head up to this size waits in memory of its own size, not in a whole input.
constexpr std::size_t max_rest_bytes = 2 * 1024;

}  // namespace

Connection::Connection(Context& context, std::string_view peer) : context_(context) {
  peer_size_ = static_cast<std::uint8_t>(std::min(peer.size(), peer_.size()));
  std::copy_n(peer.begin(), peer_size_, peer_.begin());
}

Connection::~Connection() {
  if (is_scheduled_) std::erase(context_.ready, this);
  context_.waits.remove(*this);
  context_.budget.give(held_bytes_);
}

void Connection::start() {
  // A handshake has as much time as a head.
  context_.waits.set(*this, is_wire_open() ? Wait::warm : Wait::head, context_.now_ns);
}

void Connection::refuse_connection() {
  refuse(
      503,
      fmt::format(
          "{} connections are open, more are not allowed (max_connections); try again later",
          context_.options.max_connections
      )
  );
  advance();
}

void Connection::on_readable(bool is_half_closed) {
  is_readable_ = true;
  is_half_closed_ = is_half_closed_ || is_half_closed;
  if (is_half_closed_ && state_ == State::exchange) probe();
  advance();
}

// A client that has closed its sending side has mostly gone, but may still wait for the answer.
// Only sending tells: the system of one that has gone resets the connection. Every client of
// HTTP/1.1 reads over this (RFC 9110, 15.2).
void Connection::probe() {
  if (has_probed_ || memory_->head.is_http_1_0 || !unsent_.is_empty()) return;
  has_probed_ = true;
  write("HTTP/1.1 100 Continue\r\n\r\n", {});
}

void Connection::on_writable() {
  if (!unsent_.is_empty()) advance();
}

void Connection::on_lost() {
  close_now();
}

void Connection::on_ready() {
  is_scheduled_ = false;
  advance();
}

void Connection::on_expired() {
  switch (wait) {
    case Wait::warm:
      scratch_.reset();
      context_.waits.set(*this, Wait::idle, deadline_ns);
      return;
    case Wait::head:
      context_.counts.timeouts.add();
      if (!is_wire_open()) return close_now();
      refuse_head(408, "the head of the request took too long (head_timeout)");
      break;
    case Wait::body:
      if (state_ == State::discard) return close_now();
      context_.counts.timeouts.add();
      refuse(408, "the body of the request took too long (body_timeout)");
      break;
    case Wait::write:
      context_.counts.timeouts.add();
      return close_now();
    case Wait::idle:
    case Wait::linger:
    case Wait::drain:
      return close_now();
    case Wait::handler:
      return;
  }
  advance();
}

void Connection::on_drain() {
  keeps_alive_ = false;
  if (state_ == State::stream) close_now();  // It would never end by itself.
  if (state_ != State::head) return;
  // A request that has just arrived is still answered, and so is one that is on its way.
  is_readable_ = true;
  advance();
}

void Connection::advance() {
  if (is_advancing_) return;
  is_advancing_ = true;
  turn_bytes_ = 0;
  turn_requests_ = 0;
  while (take_step() == Progress::goes_on) {
  }
  is_advancing_ = false;
}

Connection::Progress Connection::take_step() {
  if (!unsent_.is_empty() && !flush()) return Progress::waits;
  if (state_ == State::closed) return Progress::waits;
  if (turn_bytes_ >= max_turn_bytes || turn_requests_ >= max_turn_requests) {
    schedule();
    return Progress::waits;
  }
  switch (state_) {
    case State::head:
      return take_head();
    case State::body:
      return take_body();
    case State::discard:
      return discard();
    case State::closing:
      close_politely();
      return Progress::goes_on;
    case State::linger:
      return linger();
    case State::exchange:
    case State::stream:
    case State::closed:
      break;
  }
  return Progress::waits;
}

// Bytes that have been received and belong to no request that was begun.
std::string_view Connection::unread() const {
  return memory_ ? memory_->input.view().substr(memory_->begin) : rest_.view();
}

Connection::Progress Connection::take_head() {
  if (memory_ && !unread().empty()) {
    const HeadScan scan = scan_head(unread(), scanned_bytes_);
    const std::uint64_t limit = context_.options.max_head_bytes;
    if (scan.outcome == HeadScan::Outcome::bare_line_feed) {
      context_.counts.malformed.add();
      return refuse_head(400, "a line of the request ends in LF without CR");
    }
    const bool is_complete = scan.outcome == HeadScan::Outcome::complete;
    if (is_complete ? scan.size > limit : unread().size() >= limit) {
      context_.counts.over_limit.add();
      return refuse_head(
          431, fmt::format("the head of the request has more than {} bytes (max_head_bytes)", limit)
      );
    }
    if (is_complete) return begin_request(scan.size);
    scanned_bytes_ = static_cast<std::uint32_t>(scan.size);
  }
  if (has_ended_) return end_of_input();
  return is_readable_ ? read_more_of_head() : wait_for_head();
}

Connection::Progress Connection::read_more_of_head() {
  if (!memory_) {
    memory_ = context_.memory.take();
    memory_->input.append(rest_.view());
    rest_.release();
  }
  Buffer& input = memory_->input;
  if (input.space().empty()) {
    input.remove_front(memory_->begin);
    memory_->begin = 0;
    // Half full or more with a head that does not end: it needs room to go on.
    if (input.size() > input.capacity() / 2) input.reserve(input.capacity() * 2);
  }
  fill(input);
  return Progress::goes_on;
}

Connection::Progress Connection::wait_for_head() {
  const std::string_view partial = unread();
  if (partial.empty()) {
    release_memory();
    if (!is_wire_open()) return Progress::waits;
    if (!context_.is_draining) {
      context_.waits.set(*this, Wait::warm, context_.now_ns);
    } else if (wait != Wait::drain) {
      context_.waits.set(*this, Wait::drain, context_.now_ns);
    }
    return Progress::waits;
  }
  if (head_started_ns_ == 0 || wait != Wait::head) {
    if (head_started_ns_ == 0) head_started_ns_ = context_.now_ns;
    context_.waits.set(*this, Wait::head, context_.now_ns);
  }
  if (memory_ && partial.size() <= max_rest_bytes) {
    rest_.reserve(partial.size());
    rest_.append(partial);
    release_memory();
  }
  if (account()) return Progress::waits;
  context_.counts.over_limit.add();
  return refuse_head(503, "too many requests are being received; try again later");
}

Connection::Progress Connection::begin_request(std::size_t head_bytes) {
  RequestMemory& memory = *memory_;
  const std::string_view bytes = unread().substr(0, head_bytes);
  const HeadLimits limits = {context_.options.max_head_bytes, context_.options.max_headers};
  const auto refusal = parse_head(bytes, limits, memory.headers, memory.head);
  Request& request = memory.head.request;
  request.peer = {peer_.data(), peer_size_};
  request.received_ns = head_started_ns_ == 0 ? context_.seen_ns : head_started_ns_;
  request.ahead_ns = context_.ahead_ns;
  request.is_behind = context_.is_behind;
  head_started_ns_ = 0;
  scanned_bytes_ = 0;
  ++turn_requests_;
  if (refusal) {
    const bool is_limit = refusal->status == 413 || refusal->status == 431;
    (is_limit ? context_.counts.over_limit : context_.counts.malformed).add();
    return refuse(refusal->status, refusal->message);
  }
  context_.counts.requests_total.add();
  keeps_alive_ = memory.head.keep_alive && !context_.is_retiring;
  const bool has_body = memory.head.is_chunked || memory.head.content_length > 0;
  if (!has_body && is_preflight(context_.options.cors, request))
    return answer_preflight(head_bytes);
  return begin_body(head_bytes);
}

Connection::Progress Connection::deliver(std::string_view body) {
  memory_->head.request.body = body;
  state_ = State::exchange;
  is_exchange_open_ = true;
  has_probed_ = false;
  context_.handler.handle(*this);
  if (is_exchange_open_ && state_ != State::closed) {
    if (unsent_.is_empty()) context_.waits.set(*this, Wait::handler, context_.now_ns);
    account();
    if (is_half_closed_) probe();
  }
  return Progress::goes_on;
}

// Reads away a body that was refused, so that the connection can be used again.
Connection::Progress Connection::discard() {
  if (body_left_ == 0) {
    state_ = State::head;
    return Progress::goes_on;
  }
  if (has_ended_) {
    close_now();
    return Progress::waits;
  }
  if (!is_readable_) {
    release_memory();
    return Progress::waits;
  }
  Buffer& scratch = context_.scratch;
  scratch.clear();
  scratch.reserve(RequestMemoryPool::input_bytes);
  const auto wanted = std::min<std::uint64_t>(body_left_, scratch.capacity());
  if (fill(scratch, static_cast<std::size_t>(wanted))) body_left_ -= scratch.size();
  return Progress::goes_on;
}

// Closing at once would make the system reset the connection if the client still sends, and the
// client would lose the answer that it has not read yet.
Connection::Progress Connection::linger() {
  if (has_ended_) close_now();
  if (state_ == State::closed || !is_readable_) return Progress::waits;
  context_.scratch.clear();
  context_.scratch.reserve(RequestMemoryPool::input_bytes);
  fill(context_.scratch);
  return Progress::goes_on;
}

void Connection::close_politely() {
  const bool may_reset = leaves_unread_ || is_readable_ || !unread().empty();
  release_memory();
  rest_.release();
  if (has_ended_ || !may_reset) return close_now();
  shut_down_sending();
  state_ = State::linger;
  context_.waits.set(*this, Wait::linger, context_.now_ns);
}

void Connection::close_now() {
  if (state_ == State::closed) return;
  close_wire();
  state_ = State::closed;
  rest_.release();
  unsent_.release();
  if (is_exchange_open_) {
    // The handler still has the request.
    context_.waits.set(*this, Wait::handler, context_.now_ns);
    account();
    context_.handler.on_lost(*this);
  } else {
    context_.waits.remove(*this);
    release_memory();
    context_.finished.push_back(this);
  }
}

void Connection::schedule() {
  if (is_scheduled_) return;
  is_scheduled_ = true;
  context_.ready.push_back(this);
}

bool Connection::fill(Buffer& buffer, std::size_t wanted) {
  const std::span<char> space = buffer.space().first(std::min(wanted, buffer.space().size()));
  CHECK(!space.empty(), "reading nothing would look like the end");
  const ssize_t count = receive(space);
  if (count > 0) {
    const auto received = static_cast<std::size_t>(count);
    buffer.add(received);
    turn_bytes_ += static_cast<std::uint32_t>(received);
    // Less than there was room for: there is no more, and more will be announced. Only the end of
    // the stream, once announced, is not announced again.
    if (received < space.size() && !is_half_closed_) is_readable_ = false;
    return true;
  }
  if (count < 0 && errno == EINTR) return false;  // Still readable: the next step tries again.
  is_readable_ = false;
  if (count == 0) {
    has_ended_ = true;
    is_half_closed_ = true;
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    close_now();
  }
  return false;
}

// Tells the budget what this connection holds now. False when that is more than it has left; it
// counts all the same.
bool Connection::account() {
  const std::uint64_t holds =
      (memory_ ? memory_->footprint() : 0) + rest_.capacity() + unsent_.capacity();
  bool is_within = true;
  if (holds > held_bytes_) is_within = context_.budget.take(holds - held_bytes_);
  if (holds < held_bytes_) context_.budget.give(held_bytes_ - holds);
  held_bytes_ = holds;
  return is_within;
}

void Connection::release_memory() {
  if (memory_) context_.memory.give(std::move(memory_));
  if (held_bytes_ > 0) account();
}

}  // namespace weir::http
