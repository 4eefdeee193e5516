#include "model/model_host.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include <unistd.h>

#include "base/log.h"

namespace weir::model {
namespace {

// Small enough for any order; what comes later is bounded by the order itself.
constexpr std::uint64_t max_order_bytes = 1ULL << 20;

// The call of one lane, used again for each.
class HostInference final : public Inference {
 public:
  void complete() override {
    const std::lock_guard lock(mutex_);
    is_complete_ = true;
    changed_.notify_one();
  }
  void run(Session& session) {
    is_complete_ = false;
    if (session.infer(*this) == Progress::done) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_complete_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_complete_ = false;
};

Result<void> answer_one(
    int socket, Session& session, const MessageLimits& limits, Message& message, HostInference& call
) {
  call.rows = TRY(message.take_number());
  call.deadline = static_cast<Moment>(TRY(message.take_number()));
  TRY(message.take_tensors(call.inputs));
  call.run(session);
  message.clear();
  if (call.status) {
    message.put(static_cast<std::uint64_t>(call.run_ns));
    message.put(call.outputs);
    const auto sent = send_message(socket, MessageKind::answer, message, limits);
    if (sent || sent.error().code != Code::exhausted) return sent;
    call.status = tl::unexpected(sent.error());
    message.clear();
  }
  message.put(call.status.error());
  return send_message(socket, MessageKind::failed, message, limits);
}

void serve_lane(int socket, Session& session, const MessageLimits& limits) {
  Message message;
  HostInference call;
  while (true) {
    const auto kind = receive_message(socket, message, limits);
    if (!kind || *kind != MessageKind::infer) break;
    if (!answer_one(socket, session, limits, message, call)) break;
  }
  // The parent sees the end of the lane and starts another process.
  ::close(socket);
}

Result<void> send_error(int socket, const Error& error) {
  Message message;
  message.put(error);
  return send_message(socket, MessageKind::failed, message, {max_order_bytes});
}

}  // namespace

void put_load(const std::string& path, const SessionOptions& options, Message& message) {
  message.clear();
  message.put(std::string_view(path));
  message.put(static_cast<std::uint64_t>(options.onnx_threads));
  message.put(std::string_view(options.onnx_library));
  message.put(options.max_artifact_bytes);
  message.put(options.max_forest_nodes);
  message.put(static_cast<std::uint64_t>(options.remote_timeout_us));
  message.put(static_cast<std::uint64_t>(options.remote_connections));
  message.put(options.remote_queue);
  message.put(options.remote_answer_bytes);
  message.put(options.isolated_message_bytes);
}

Result<LoadOrder> take_load(Message& message) {
  LoadOrder order;
  SessionOptions& options = order.options;
  order.path = TRY(message.take_text());
  options.onnx_threads = static_cast<int>(TRY(message.take_number()));
  options.onnx_library = TRY(message.take_text());
  options.max_artifact_bytes = TRY(message.take_number());
  options.max_forest_nodes = static_cast<std::uint32_t>(TRY(message.take_number()));
  options.remote_timeout_us = static_cast<std::int64_t>(TRY(message.take_number()));
  options.remote_connections = static_cast<int>(TRY(message.take_number()));
  options.remote_queue = TRY(message.take_number());
  options.remote_answer_bytes = TRY(message.take_number());
  options.isolated_message_bytes = TRY(message.take_number());
  return order;
}

Result<int> run_model_host(int socket) {
  Message message;
  const MessageKind kind = TRY(receive_message(socket, message, {max_order_bytes}));
  if (kind != MessageKind::load) return fail(Code::corrupt, "there is no model to load");
  const LoadOrder order = TRY(take_load(message));
  auto session = load_session_here(order.path, order.options);
  if (!session) {
    TRY(send_error(socket, session.error()));
    return 1;
  }
  const MessageLimits limits{order.options.isolated_message_bytes};
  message.clear();
  message.put((*session)->signature());
  TRY(send_message(socket, MessageKind::loaded, message, limits));
  while (true) {
    int lane = -1;
    const auto next = receive_message(socket, message, limits, &lane);
    if (!next || *next != MessageKind::lane || lane < 0) break;
    try {
      std::thread([lane, &session, limits] { serve_lane(lane, **session, limits); }).detach();
    } catch (const std::system_error& error) {
      LOG(error, "a model's process cannot start a thread: {}", error.what());
      break;
    }
  }
  // Threads may be inside the model, which is not to be taken away under them.
  ::_exit(0);
}

}  // namespace weir::model
