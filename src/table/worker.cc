#include "table/worker.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>

#include "base/child_process.h"
#include "base/clock.h"
#include "base/log.h"
#include "table/columns_packet.h"
#include "table/request.h"

namespace weir::table {
namespace {

using Part = std::function<Result<void>(Packet& packet)>;

// What goes with a result beside its text: names and types of columns, sizes of texts.
constexpr std::uint64_t beside_bytes = 16ULL << 20;
constexpr std::uint64_t max_batch_bytes = 16ULL << 20;
// Columns of a batch stay below 4 GiB each; more than this is no sensible batch.
constexpr std::uint64_t largest_part_bytes = 16ULL << 30;

std::uint64_t unsigned_of(std::int64_t value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

}  // namespace

struct Worker::Impl {
  explicit Impl(WorkerOptions chosen) : options(std::move(chosen)) {}

  // Waits for the turn of this call, then talks to the child: sends the request and, where there
  // are any, its parts, and takes the parts of the answer.
  Result<Packet> call(
      Request request,
      std::int64_t timeout_us,
      const Part& part,
      const std::function<Result<Packet>()>& next_part = nullptr
  ) {
    const std::int64_t deadline_ns = monotonic_ns() + timeout_us * 1'000;
    TRY(take_turn(deadline_ns, timeout_us));
    Result<Packet> answer = talk(request, deadline_ns, part, next_part);
    {
      const std::lock_guard lock(mutex);
      is_busy = false;
      // A broken conversation cannot be taken up again.
      if (!answer && is_broken) child.reset();
      is_broken = false;
    }
    turn.notify_one();
    return answer;
  }

  Result<void> take_turn(std::int64_t deadline_ns, std::int64_t timeout_us) {
    std::unique_lock lock(mutex);
    const auto left =
        std::chrono::nanoseconds(std::max<std::int64_t>(deadline_ns - monotonic_ns(), 0));
    if (!turn.wait_for(lock, left, [this] { return !is_busy; })) {
      return fail(
          Code::exhausted,
          "the SQL worker was busy with another statement for {:.1f} s; try again later",
          static_cast<double>(timeout_us) / 1e6
      );
    }
    is_busy = true;
    return {};
  }

  // Requires: our turn.
  Result<Packet> talk(
      Request& request,
      std::int64_t deadline_ns,
      const Part& part,
      const std::function<Result<Packet>()>& next_part
  ) {
    const int socket = TRY(running_socket());
    request.timeout_us = unsigned_of((deadline_ns - monotonic_ns()) / 1'000);
    const std::int64_t kill_ns = deadline_ns + options.kill_after_us * 1'000;
    const Packet packet = to_packet(request);
    if (packet.bytes().size() > options.max_statement_bytes) {
      return fail(
          Code::invalid_argument,
          "the statement has {} bytes; at most {} are allowed",
          packet.bytes().size(),
          options.max_statement_bytes
      );
    }
    if (auto sent = send_packet(socket, packet, {kill_ns, options.max_statement_bytes}); !sent) {
      return tl::unexpected(broken(sent.error()));
    }
    while (next_part) {
      Result<Packet> next = next_part();
      if (!next) {
        is_broken = true;
        return tl::unexpected(next.error());
      }
      if (auto sent = send_packet(socket, *next, {kill_ns, largest_part_bytes}); !sent) {
        return tl::unexpected(broken(sent.error()));
      }
      if (next->kind() == PacketKind::done) break;
    }
    const std::uint64_t max_bytes = std::max(request.max_bytes, max_batch_bytes) + beside_bytes;
    for (;;) {
      Result<Packet> received = receive_packet(socket, {kill_ns, max_bytes});
      if (!received) return tl::unexpected(broken(received.error()));
      if (received->kind() == PacketKind::failed) return tl::unexpected(error_of(*received));
      if (received->kind() == PacketKind::done) return received;
      if (auto taken = part(*received); !taken) {
        // What the child still sends has no reader any more.
        is_broken = true;
        return tl::unexpected(taken.error());
      }
    }
  }

  // The socket of a child that runs and is configured. Requires: our turn.
  Result<int> running_socket() {
    {
      const std::lock_guard lock(mutex);
      if (child && child->is_running()) return child->socket();
      if (child) LOG(warning, "the SQL worker ended by {}; starting another", child->end(0));
      child.reset();
    }
    ChildProcess started =
        TRY(ChildProcess::start(options.program, options.arguments, worker_socket));
    const std::int64_t deadline_ns = monotonic_ns() + options.start_timeout_us * 1'000;
    const PacketLimits limits{deadline_ns, beside_bytes};
    Result<void> sent = send_packet(started.socket(), configuration(), limits);
    if (sent) {
      const Result<Packet> ready = receive_packet(started.socket(), limits);
      if (!ready) sent = tl::unexpected(ready.error());
    }
    if (!sent) {
      return fail(
          Code::unavailable,
          "the SQL worker '{}' did not start: {} ({})",
          options.program,
          sent.error().message,
          started.end(0)
      );
    }
    const std::lock_guard lock(mutex);
    child.emplace(std::move(started));
    return child->socket();
  }

  Packet configuration() const {
    ChildOptions child_options;
    child_options.duckdb_library = options.duckdb_library;
    child_options.temp_folder = options.temp_folder;
    child_options.memory_bytes = options.memory_bytes;
    child_options.max_temp_bytes = options.max_temp_bytes;
    child_options.max_statement_bytes = options.max_statement_bytes;
    child_options.threads = unsigned_of(options.threads);
    child_options.niceness = unsigned_of(options.niceness);
    return to_packet(child_options);
  }

  // The conversation failed: ends the child and says what happened. Requires: our turn.
  Error broken(const Error& error) {
    const std::lock_guard lock(mutex);
    is_broken = true;
    const bool is_dead = error.code == Code::unavailable;
    // A dying child closes its socket a moment before it can be waited for.
    const std::string how = child->end(is_dead ? 1'000 : 0);
    if (error.code == Code::deadline) {
      return Error{Code::deadline, "the SQL worker did not keep its time limit and was ended"};
    }
    if (!is_dead) return Error{Code::internal, error.message};
    std::string message = "the SQL worker ended while it worked on this statement, by " + how;
    if (how == "signal 9") message += " (out of memory, or somebody ended it)";
    return Error{Code::unavailable, message + "; the next statement gets a new one"};
  }

  const WorkerOptions options;
  std::mutex mutex;
  std::condition_variable turn;
  bool is_busy = false;
  bool is_broken = false;  // Written by the call whose turn it is.
  std::optional<ChildProcess> child;
};

Worker::Worker(WorkerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Worker::~Worker() = default;

Result<QueryResult> Worker::query(const Query& query) {
  const WorkerOptions& options = impl_->options;
  Request request;
  request.kind = PacketKind::query;
  request.setup = query.setup;
  request.sql = query.sql;
  request.readable = query.readable;
  request.max_rows = query.max_rows == 0 ? options.max_result_rows
                                         : std::min(query.max_rows, options.max_result_rows);
  request.max_bytes = options.max_result_bytes;
  const std::int64_t timeout_us = query.timeout_us > 0 ? query.timeout_us : options.timeout_us;
  Packet done = TRY(impl_->call(std::move(request), timeout_us, nullptr));
  return query_result(done);
}

Result<std::uint64_t> Worker::export_rows(const Query& query, const std::string& path) {
  Request request;
  request.kind = PacketKind::export_rows;
  request.setup = query.setup;
  request.sql = query.sql;
  request.readable = query.readable;
  std::error_code error;
  request.path = std::filesystem::absolute(path, error).lexically_normal().string();
  const std::int64_t timeout_us =
      query.timeout_us > 0 ? query.timeout_us : impl_->options.execute_timeout_us;
  Packet done = TRY(impl_->call(std::move(request), timeout_us, nullptr));
  const QueryResult result = TRY(query_result(done));
  return result.rows;
}

Result<std::uint64_t> Worker::execute(std::string_view sql) {
  Request request;
  request.kind = PacketKind::execute;
  request.sql = sql;
  Packet done = TRY(impl_->call(std::move(request), impl_->options.execute_timeout_us, nullptr));
  const QueryResult result = TRY(query_result(done));
  return result.rows;
}

Result<QueryResult> Worker::read(std::string_view sql, std::uint64_t batch_rows, const Sink& sink) {
  Request request;
  request.kind = PacketKind::read;
  request.sql = sql;
  request.max_rows = std::max<std::uint64_t>(batch_rows, 1);
  request.max_bytes = max_batch_bytes;
  const Part part = [&](Packet& packet) -> Result<void> { return sink(TRY(query_result(packet))); };
  Packet done = TRY(impl_->call(std::move(request), impl_->options.execute_timeout_us, part));
  return query_result(done);
}

Result<FloatMatrix> Worker::read_matrix(std::string_view sql) {
  Request request;
  request.kind = PacketKind::read_matrix;
  request.sql = sql;
  request.max_bytes = impl_->options.max_matrix_bytes;
  FloatMatrix matrix;
  const Part part = [&](Packet& packet) -> Result<void> {
    const std::string bytes = TRY(packet.take_text());
    const std::size_t before = matrix.values.size();
    matrix.values.resize(before + bytes.size() / sizeof(float));
    std::memcpy(matrix.values.data() + before, bytes.data(), bytes.size());
    return {};
  };
  Packet done = TRY(impl_->call(std::move(request), impl_->options.execute_timeout_us, part));
  const QueryResult result = TRY(query_result(done));
  for (const ColumnInfo& column : result.columns) matrix.columns.push_back(column.name);
  matrix.rows = result.rows;
  return matrix;
}

Result<QueryResult> Worker::read_columns(const ColumnsQuery& query, const ColumnsSink& sink) {
  Request request;
  request.kind = PacketKind::read_columns;
  request.sql = query.sql;
  request.after = query.after;
  request.skip_rows = query.skip_rows;
  request.max_rows = std::max<std::uint64_t>(query.batch_rows, 1);
  request.max_bytes = largest_part_bytes;
  const std::function<Result<Packet>()> specs = [&]() -> Result<Packet> {
    Packet packet(PacketKind::done);
    put_specs(packet, *query.specs);
    return packet;
  };
  const Part part = [&](Packet& packet) -> Result<void> {
    tensor::Columns batch(query.specs);
    TRY(take_columns(packet, batch));
    return sink(std::move(batch));
  };
  Packet done =
      TRY(impl_->call(std::move(request), impl_->options.execute_timeout_us, part, specs));
  return query_result(done);
}

Result<std::uint64_t> Worker::write_columns(
    std::string_view sql, const tensor::ColumnSpecs& specs, const ColumnsSource& source
) {
  Request request;
  request.kind = PacketKind::write_columns;
  request.sql = sql;
  bool is_first = true;
  const std::function<Result<Packet>()> next_part = [&]() -> Result<Packet> {
    Packet part(PacketKind::part);
    if (std::exchange(is_first, false)) {
      put_specs(part, specs);
      return part;
    }
    const tensor::Columns* batch = TRY(source());
    if (batch == nullptr) return Packet(PacketKind::done);
    put_columns(part, *batch);
    return part;
  };
  Packet done =
      TRY(impl_->call(std::move(request), impl_->options.execute_timeout_us, nullptr, next_part));
  const QueryResult result = TRY(query_result(done));
  return result.rows;
}

Result<void> Worker::start() {
  const std::int64_t timeout_us = impl_->options.start_timeout_us;
  TRY(impl_->take_turn(monotonic_ns() + timeout_us * 1'000, timeout_us));
  const Result<int> socket = impl_->running_socket();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_busy = false;
  }
  impl_->turn.notify_one();
  if (!socket) return tl::unexpected(socket.error());
  return {};
}

void Worker::stop() {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->child) return;
  if (impl_->is_busy) {
    impl_->child->kill();
  } else {
    impl_->child.reset();
  }
}

std::optional<int> Worker::pid() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->child || impl_->child->pid() <= 0) return std::nullopt;
  return impl_->child->pid();
}

std::uint64_t Worker::memory_bytes() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->child || impl_->child->pid() <= 0) return 0;
  return resident_bytes(impl_->child->pid());
}

}  // namespace weir::table
