#include "model/model_process.h"

#include <array>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/model_host.h"

namespace weir::model {
namespace {

// A process that dumps its memory takes a while to end.
constexpr int patience_ms = 5'000;

}  // namespace

Result<std::unique_ptr<ModelProcess>> ModelProcess::start(
    const std::string& path, const SessionOptions& options, std::size_t lanes, int stop
) {
  // In a statement of its own: a TRY inside the new expression would return past its memory.
  auto child = TRY(ChildProcess::start(options.isolated_program, {"model-host"}, host_socket));
  std::unique_ptr<ModelProcess> process(new ModelProcess(std::move(child)));
  TRY(process->load(path, options, stop));
  TRY(process->open_lanes(lanes, {options.isolated_message_bytes, 0, stop}));
  return process;
}

ModelProcess::~ModelProcess() {
  end();
  for (const int lane : lanes_) ::close(lane);
}

Result<void> ModelProcess::load(const std::string& path, const SessionOptions& options, int stop) {
  const MessageLimits limits{
      options.isolated_message_bytes,
      monotonic_ns() + options.isolated_load_us * 1000,
      stop,
  };
  Message message;
  put_load(path, options, message);
  const auto sent = send_message(socket(), MessageKind::load, message, limits);
  auto kind = sent ? receive_message(socket(), message, limits) : tl::unexpected(sent.error());
  if (!kind && kind.error().code == Code::deadline) {
    return fail(
        Code::deadline,
        "cannot load '{}': it took longer than {} s in a process of its own",
        path,
        options.isolated_load_us / us_per_second
    );
  }
  if (!kind) {
    return fail(
        Code::unavailable,
        "cannot load '{}': the process that loads it (pid {}) ended with {}",
        path,
        pid_,
        end()
    );
  }
  if (*kind == MessageKind::failed) return tl::unexpected(TRY(message.take_error()));
  if (*kind != MessageKind::loaded) return fail(Code::corrupt, "a model's process talks nonsense");
  signature_bytes_ = message.bytes();
  signature_ = TRY(message.take_signature());
  return {};
}

Result<void> ModelProcess::open_lanes(std::size_t count, const MessageLimits& limits) {
  for (std::size_t i = 0; i < count; ++i) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return tl::unexpected(system_error("make a socket for", "a model's process"));
    }
    lanes_.push_back(ends[0]);
    const auto sent = send_message(socket(), MessageKind::lane, {}, limits, ends[1]);
    ::close(ends[1]);
    TRY(sent);
  }
  return {};
}

void ModelProcess::stop() const {
  ::shutdown(socket(), SHUT_RDWR);
}

std::string ModelProcess::end() {
  return process_.end(patience_ms);
}

}  // namespace weir::model
