#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"
#include "base/clock.h"
#include "http/compress.h"
#include "http/connection.h"
#include "http/cors.h"
#include "http/respond.h"

// The part of Connection that answers.

namespace weir::http {
namespace {

// Up to this size a body is copied behind its head, which is cheaper than a second part.
constexpr std::size_t max_copied_bytes = 4 * 1024;

// What is kept of the memory for answers and compressed bodies from one to the next.
constexpr std::size_t max_kept_bytes = 1024 * 1024;

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

bool names_encoding(std::string_view headers) {
  constexpr std::string_view name = "content-encoding:";
  while (headers.size() >= name.size()) {
    if (equals_ignoring_case(headers.substr(0, name.size()), name)) return true;
    headers.remove_prefix(std::min(headers.find('\n'), headers.size() - 1) + 1);
  }
  return false;
}

iovec part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

void Connection::respond(
    int status, std::string_view content_type, std::string_view body, std::string_view headers
) {
  CHECK(is_exchange_open_ && state_ != State::stream, "an exchange is answered once");
  if (state_ != State::closed) write_answer(status, content_type, body, headers);
  if (state_ == State::closed) return end_lost_exchange();
  is_exchange_open_ = false;
  after_answer();
  if (!is_advancing_) schedule();
}

void Connection::begin_stream(int status, std::string_view content_type) {
  CHECK(is_exchange_open_ && state_ != State::stream, "an exchange is answered once");
  keeps_alive_ = false;
  if (state_ == State::closed) return;
  state_ = State::stream;
  compose_head(status, content_type, "Cache-Control: no-store\r\n");
  if (context_.access_log != nullptr) log_access(status, 0);
  context_.answer.append("\r\n");
  write(context_.answer.view(), {});
}

bool Connection::send(std::string_view bytes) {
  CHECK(is_exchange_open_, "a stream is not sent to after its end");
  if (state_ == State::closed) return false;
  CHECK(state_ == State::stream, "a stream begins with begin_stream");
  if (!is_head_request()) write({}, bytes);
  if (unsent_.size() - unsent_begin_ > context_.options.stream_buffer_bytes) close_now();
  return state_ != State::closed;
}

void Connection::finish_stream() {
  CHECK(is_exchange_open_, "a stream ends once");
  if (state_ == State::closed) return end_lost_exchange();
  is_exchange_open_ = false;
  after_answer();
  if (!is_advancing_) schedule();
}

void Connection::end_lost_exchange() {
  is_exchange_open_ = false;
  context_.waits.remove(*this);
  release_memory();
  context_.finished.push_back(this);
}

bool Connection::is_head_request() const {
  return memory_ && memory_->head.request.method == Method::head;
}

bool Connection::compresses(std::string_view body, std::string_view headers) const {
  const std::uint64_t min_bytes = context_.options.compress_min_bytes;
  return min_bytes > 0 && body.size() >= min_bytes && memory_ &&
         !memory_->head.accept_encoding.empty() && !names_encoding(headers);
}

// Writes everything into context_.answer but the length of the body and the empty line.
void Connection::compose_head(int status, std::string_view content_type, std::string_view headers) {
  Buffer& answer = context_.answer;
  answer.clear();
  answer.append("HTTP/1.1 ");
  answer.append_decimal(static_cast<std::uint64_t>(status));
  answer.append(" ");
  answer.append(reason_phrase(status));
  if (!content_type.empty()) {
    answer.append("\r\nContent-Type: ");
    answer.append(content_type);
  }
  answer.append("\r\n");
  answer.append(context_.date_line());
  if (!keeps_alive_) {
    answer.append("Connection: close\r\n");
  } else if (memory_ && memory_->head.is_http_1_0) {
    answer.append("Connection: keep-alive\r\n");
  }
  if (memory_ && !memory_->head.request.id.empty()) {
    answer.append("X-Request-Id: ");
    answer.append(memory_->head.request.id);
    answer.append("\r\n");
  }
  if (memory_ && !context_.options.cors.origins.empty()) {
    append_cors(context_.options.cors, memory_->head.request, answer);
  }
  answer.append(headers);
}

void Connection::write_answer(
    int status, std::string_view content_type, std::string_view body, std::string_view headers
) {
  if (context_.is_retiring) keeps_alive_ = false;
  compose_head(status, content_type, headers);
  Buffer& answer = context_.answer;
  if (!has_body(status)) {
    body = {};
  } else if (compresses(body, headers)) {
    answer.append("Vary: Accept-Encoding\r\n");
    const Coding coding = accepted_coding(memory_->head.accept_encoding);
    if (coding != Coding::identity) {
      context_.compressor.deflate(coding, body, context_.compressed);
      if (context_.compressed.size() < body.size()) {
        body = context_.compressed.view();
        answer.append("Content-Encoding: ");
        answer.append(to_string(coding));
        answer.append("\r\n");
      }
    }
  }
  if (has_body(status)) {
    answer.append("Content-Length: ");
    answer.append_decimal(body.size());
    answer.append("\r\n");
  }
  answer.append("\r\n");
  if (is_head_request()) body = {};
  if (context_.access_log != nullptr) log_access(status, body.size());
  if (body.size() <= max_copied_bytes) {
    answer.append(body);
    body = {};
  }
  write(answer.view(), body);
  if (context_.compressed.capacity() > max_kept_bytes) context_.compressed.release();
}

// Before admission: a browser sends no token with it.
Connection::Progress Connection::answer_preflight(std::size_t head_bytes) {
  next_begin_ = memory_->begin + head_bytes;
  write_answer(204, {}, {}, preflight_headers(context_.options.cors, memory_->head.request));
  if (state_ == State::closed) return Progress::waits;
  after_answer();
  return Progress::goes_on;
}

void Connection::log_access(int status, std::size_t answer_bytes) {
  if (!context_.access_log->wants(status)) return;
  const bool is_known = memory_ && !memory_->head.request.path.empty();
  const Request request = is_known ? memory_->head.request : Request();
  context_.access_log->add(
      {.peer = {peer_.data(), peer_size_},
       .method = is_known ? to_string(request.method) : std::string_view(),
       .path = request.path,
       .status = status,
       .request_bytes = request.body.size(),
       .answer_bytes = answer_bytes,
       .duration_us = is_known ? (monotonic_ns() - request.received_ns) / 1000 : 0,
       .id = id_.empty() ? request.id : id_,
       .traceparent = request.traceparent}
  );
}

// On to the next request of this connection, or to its end.
void Connection::after_answer() {
  state_ = keeps_alive_ ? State::head : State::closing;
  memory_->begin = next_begin_;
  if (next_begin_ == memory_->input.size()) {
    memory_->input.clear();
    memory_->begin = 0;
  }
  memory_->body.clear();
  id_ = {};
  memory_->input.append(rest_.view());
  rest_.release();
}

void Connection::write(std::string_view head, std::string_view body) {
  std::size_t sent = 0;
  if (unsent_.is_empty()) {
    const std::array<iovec, 2> parts = {part(head), part(body)};
    const ssize_t count = transmit({parts.data(), body.empty() ? 1U : 2U});
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      close_now();
      return;
    }
    sent = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    if (sent == head.size() + body.size()) return;
  }
  keep_unsent(head.substr(std::min(sent, head.size())));
  keep_unsent(body.substr(sent - std::min(sent, head.size())));
  if (!account()) {
    context_.counts.over_limit.add();
    close_now();
  } else if (!is_advancing_) {
    schedule();  // To find out whether there is room by now, and else to set the deadline.
  }
}

void Connection::keep_unsent(std::string_view bytes) {
  if (unsent_begin_ > unsent_.size() / 2) {
    unsent_.remove_front(unsent_begin_);
    unsent_begin_ = 0;
  }
  unsent_.append(bytes);
}

// True when all is sent.
bool Connection::flush() {
  while (unsent_begin_ < unsent_.size()) {
    const iovec rest = part(unsent_.view().substr(unsent_begin_));
    const ssize_t count = transmit({&rest, 1});
    if (count > 0) {
      unsent_begin_ += static_cast<std::size_t>(count);
      context_.waits.set(*this, Wait::write, context_.now_ns);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      close_now();
    } else if (wait != Wait::write) {
      context_.waits.set(*this, Wait::write, context_.now_ns);
    }
    return false;
  }
  unsent_.release();
  unsent_begin_ = 0;
  account();
  if (is_exchange_open_) context_.waits.set(*this, Wait::handler, context_.now_ns);
  return true;
}

}  // namespace weir::http
