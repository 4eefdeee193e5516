#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "http/buffer.h"
#include "http/chunked.h"
#include "http/context.h"
#include "http/server.h"
#include "http/timers.h"

// One client's connection: bytes in, requests to the handler, answers out. It knows no socket: the
// four functions at its end are all it needs of one, so that tests and the fuzzer can play the
// network. One exchange at a time; further requests wait unread, mostly in the kernel.

namespace weir::http {

// Used on its loop's thread only. Events are edge-triggered: the wire says once that there is
// something to read or room to write, and the connection remembers it until it finds none.
class Connection : public Exchange, public Waiter {
 public:
  Connection(Context& context, std::string_view peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();                           // Waits for the first request.
  void refuse_connection();               // Answers 503 and closes.
  void on_readable(bool is_half_closed);  // Something to read, maybe the end of it.
  void on_writable();
  void on_lost();   // Reset, or closed on both sides.
  void on_ready();  // Was in Context::ready.
  void on_expired();
  void on_drain();  // The server stops: closes what is idle.

  // Whether what it has to read is a new request, as far as one can tell without reading it.
  bool is_between_requests() const { return state_ == State::head && is_wire_open(); }
  // No wire and no exchange any more. Announced in Context::finished.
  bool is_finished() const { return state_ == State::closed && !is_exchange_open_; }

  const Request& request() const override { return memory_->head.request; }
  Loop& loop() override { return context_.loop; }
  bool is_connected() const override { return state_ != State::closed; }
  void respond(
      int status, std::string_view content_type, std::string_view body, std::string_view headers
  ) override;
  std::shared_ptr<void>& scratch() override { return scratch_; }
  void set_id(std::string_view id) override { id_ = id; }
  void begin_stream(int status, std::string_view content_type) override;
  bool send(std::string_view bytes) override;
  void finish_stream() override;

 protected:
  // As recv(2) and sendmsg(2), without waiting.
  virtual ssize_t receive(std::span<char> space) = 0;
  virtual ssize_t transmit(std::span<const iovec> parts) = 0;
  virtual void shut_down_sending() = 0;
  virtual void close_wire() = 0;
  // False while a handshake has to come first.
  virtual bool is_wire_open() const { return true; }

 private:
  enum class State : std::uint8_t {
    head,      // Reads, or waits for, a request's head.
    body,      // Reads its body.
    exchange,  // The handler has it.
    stream,    // The handler answers bit by bit.
    discard,   // Answered; the rest of the body is thrown away.
    closing,   // Closes when all is sent.
    linger,    // All is sent; waits for the client to read it and close.
    closed
  };
  enum class Progress : std::uint8_t { goes_on, waits };
  enum class BodyPlace : std::uint8_t { behind_head, own_buffer, chunks };

  // connection.cc: from one state to the next.
  void advance();
  Progress take_step();
  Progress take_head();
  Progress read_more_of_head();
  Progress wait_for_head();
  Progress begin_request(std::size_t head_bytes);
  Progress deliver(std::string_view body);
  void probe();
  Progress discard();
  Progress linger();
  void close_politely();
  void close_now();
  void schedule();
  bool fill(Buffer& buffer, std::size_t wanted = SIZE_MAX);
  bool account();
  void release_memory();
  std::string_view unread() const;

  // connection_body.cc: the body of a request, and what is refused before or within it.
  Progress begin_body(std::size_t head_bytes);
  Progress take_body();
  Progress take_fixed();
  Progress take_chunks(std::string_view raw);
  Progress finish_body();
  Progress end_of_input();
  bool grow_body(std::uint64_t wanted);
  void send_continue();
  Progress refuse(int status, std::string_view message);
  Progress refuse(const Admission& refusal);
  Progress refuse_head(int status, std::string_view message);
  Progress refuse_body(const Admission& refusal);

  // connection_answer.cc: what goes out.
  void compose_head(int status, std::string_view content_type, std::string_view headers);
  void write_answer(
      int status, std::string_view content_type, std::string_view body, std::string_view headers
  );
  bool compresses(std::string_view body, std::string_view headers) const;
  bool is_head_request() const;
  void after_answer();
  Progress answer_preflight(std::size_t head_bytes);
  void log_access(int status, std::size_t answer_bytes);
  void end_lost_exchange();
  void write(std::string_view head, std::string_view body);
  void keep_unsent(std::string_view bytes);
  bool flush();

  Context& context_;
  std::unique_ptr<RequestMemory> memory_;
  Buffer rest_;    // The start of the next request, while `memory_` is away or still in use.
  Buffer unsent_;  // Of an answer, from `unsent_begin_` on.
  std::size_t unsent_begin_ = 0;
  std::shared_ptr<void> scratch_;
  std::string_view id_;  // Of the exchange, as set_id() gave it.
  ChunkedDecoder chunked_;
  std::uint64_t body_limit_ = 0;
  std::uint64_t body_left_ = 0;       // Of a body with a length, or of one to discard.
  std::uint64_t held_bytes_ = 0;      // As the budget knows it.
  std::int64_t head_started_ns_ = 0;  // 0 = no part of a head was left over from an earlier turn.
  std::size_t next_begin_ = 0;        // Where the next request starts in the input.
  std::uint32_t scanned_bytes_ = 0;   // Of the head, for its end.
  std::uint32_t turn_bytes_ = 0;
  std::uint16_t turn_requests_ = 0;
  State state_ = State::head;
  BodyPlace body_place_ = BodyPlace::behind_head;
  bool is_readable_ = false;
  bool is_half_closed_ = false;  // The client has said so.
  bool has_probed_ = false;      // Whether it is still there, in this exchange.
  bool has_ended_ = false;       // And all it sent has been read.
  bool is_exchange_open_ = false;
  bool is_advancing_ = false;
  bool is_scheduled_ = false;
  bool keeps_alive_ = false;
  bool leaves_unread_ = false;  // The client may still be sending what nobody will read.
  std::uint8_t peer_size_ = 0;
  std::array<char, 54> peer_{};  // Long enough for an IPv6 address in brackets and a port.
};

}  // namespace weir::http
