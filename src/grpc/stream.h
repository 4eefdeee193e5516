#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <grpcpp/generic/async_generic_service.h>

#include "grpc/worker.h"

namespace weir::grpc {

class Stream;

// What is said on a stream; one kind per method. Its functions are called on the worker's thread.
// After each message exactly one of the stream's write(), write_last() and finish() follows, at
// once or, while it is held, later.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual void on_message(::grpc::ByteBuffer& message) = 0;
  // The client has sent its last message; the stream has to be finished. By default it is, with OK.
  virtual void on_last_message(Stream& stream);
  // An answer has been written. By default the next message is read, or the stream ends because
  // the server is going to stop.
  virtual void on_written(Stream& stream);
  // The client has gone, or its deadline has passed.
  virtual void on_cancelled(Stream&) {}
  // The server is not ready any more, or is going to stop. By default a stream that waits for a
  // message ends in the second case.
  virtual void on_told(Stream& stream);
};

// Any call but ModelInfer: messages come in and go out one at a time, in order. Belongs to its
// worker, and ends itself.
class Stream {
 public:
  explicit Stream(Worker& worker) : worker_(worker) {}

  // Waits for the next client.
  void wait();

  Worker& worker() { return worker_; }
  ::grpc::ServerContext& context() { return context_; }
  const std::string& path() const { return context_.method(); }
  bool is_reading() const { return is_reading_; }
  bool is_cancelled() const { return is_cancelled_; }

  void read();
  void write(::grpc::ByteBuffer message);
  void write_last(std::string_view message);  // And OK.
  void finish(const ::grpc::Status& status);
  void end(const ::grpc::Status& status);  // The same, when all answers are counted and logged.
  void finish_for_drain();
  // Keeps the stream alive while something outside its worker works for it.
  void hold() { ++events_left_; }
  void release() { leave(); }
  void tell();

 private:
  void arrive(bool ok);
  void take_message(bool ok);
  void take_written(bool ok);
  void take_finished(bool ok);
  void take_end(bool ok);
  void leave();
  // Counts the answer and logs it.
  void note(::grpc::StatusCode status, std::size_t answer_bytes);

  Worker& worker_;
  ::grpc::GenericServerContext context_;
  ::grpc::GenericServerAsyncReaderWriter stream_{&context_};
  ::grpc::ByteBuffer message_;
  std::unique_ptr<Conversation> conversation_;
  bool is_reading_ = false;
  bool is_finishing_ = false;
  bool is_cancelled_ = false;
  std::int64_t received_ns_ = 0;
  std::int64_t wait_ns_ = 0;  // What the client's rate limit says.
  std::size_t request_bytes_ = 0;
  int events_left_ = 0;  // Operations under way; the end of the call is one of them.
  EventOf<Stream, &Stream::arrive> arrived_{*this};
  EventOf<Stream, &Stream::take_message> read_{*this};
  EventOf<Stream, &Stream::take_written> written_{*this};
  EventOf<Stream, &Stream::take_finished> finished_{*this};
  EventOf<Stream, &Stream::take_end> ended_{*this};
};

// Who answers this method; null when nobody does.
std::unique_ptr<Conversation> make_conversation(std::string_view method, Stream& stream);

// Adds the answer of one method to the conversations: see documents.cc, infer_stream.cc, health.cc
// and reflection.cc.
std::unique_ptr<Conversation> make_document(std::string_view method, Stream& stream);
std::unique_ptr<Conversation> make_infer_stream(Stream& stream);
std::unique_ptr<Conversation> make_health_watch(Stream& stream);
std::unique_ptr<Conversation> make_reflection(Stream& stream);

}  // namespace weir::grpc
