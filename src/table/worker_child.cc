#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "table/columns_packet.h"
#include "table/columns_stream.h"
#include "table/confine.h"
#include "table/database.h"
#include "table/duckdb_library.h"
#include "table/file_format.h"
#include "table/json_text.h"
#include "table/packet.h"
#include "table/request.h"
#include "table/segments_function.h"
#include "table/sql_text.h"
#include "table/statement.h"
#include "table/watchdog.h"
#include "table/worker.h"

// The child's end: one request after the other, each in a database of its own.

namespace weir::table {
namespace {

constexpr std::uint64_t max_configuration_bytes = 1ULL << 20;
// Parts are as large as the limits of the request make them.
constexpr std::uint64_t largest_packet = 1ULL << 40;

class Child {
 public:
  Child(int socket, const OpenBatches& open, ChildOptions options)
      : socket_(socket), open_(open), options_(std::move(options)), watchdog_(socket) {}

  // Until the parent closes its end.
  Result<void> serve() {
    for (;;) {
      Packet packet = TRY(receive_packet(socket_, {0, options_.max_statement_bytes}));
      Result<Packet> answer = answer_to(packet);
      TRY(send_packet(socket_, answer ? *answer : to_packet(answer.error()), {0, largest_packet}));
    }
  }

 private:
  // A database for one request, and what must live as long.
  struct Session {
    std::unique_ptr<SegmentAccess> access;
    std::unique_ptr<Database> database;
  };

  Result<Packet> answer_to(Packet& packet) {
    const Request wanted = TRY(request(packet));
    Result<Packet> answer = guarded(wanted);
    if (!answer && (watchdog_.is_late() || answer.error().code == Code::deadline)) {
      return fail(
          Code::deadline,
          "the statement took longer than {:.1f} s; narrow what it reads or raise the time limit",
          static_cast<double>(wanted.timeout_us) / 1e6
      );
    }
    return answer;
  }

  Result<Packet> guarded(const Request& wanted) {
    try {
      switch (wanted.kind) {
        case PacketKind::query:
          return query(wanted);
        case PacketKind::export_rows:
          return export_rows(wanted);
        case PacketKind::execute:
          return execute(wanted);
        case PacketKind::read:
          return read(wanted);
        case PacketKind::read_matrix:
          return read_matrix(wanted);
        case PacketKind::read_columns:
          return read_columns(wanted);
        case PacketKind::write_columns:
          return write_columns(wanted);
        default:
          return fail(Code::internal, "the SQL worker got a packet that is no request");
      }
    } catch (const std::exception& error) {
      return fail(Code::exhausted, "the SQL worker failed: {}", error.what());
    }
  }

  enum class Spill { no, yes };

  Result<Session> open(const Request& wanted, Spill spill) { return open(wanted, spill, open_); }

  Result<Session> open(const Request& wanted, Spill spill, const OpenBatches& batches) {
    const std::int64_t deadline_ns =
        monotonic_ns() + static_cast<std::int64_t>(wanted.timeout_us) * 1'000;
    if (!library_) library_ = TRY(load_duckdb(options_.duckdb_library));
    DatabaseOptions options;
    options.memory_bytes = options_.memory_bytes;
    options.threads = static_cast<int>(options_.threads);
    if (spill == Spill::yes) {
      options.temp_folder = options_.temp_folder;
      options.max_temp_bytes = options_.max_temp_bytes;
    }
    Session session;
    session.access = std::make_unique<SegmentAccess>(SegmentAccess{*library_, batches, Readable()});
    session.database = TRY(Database::open(*library_, options));
    TRY(register_segments(session.database->connection(), *session.access));
    watchdog_.watch(deadline_ns, [database = session.database.get()] { database->interrupt(); });
    return session;
  }

  // Makes the views, then shuts the doors.
  static Result<void> lock_down(
      Session& session, const Request& wanted, const std::vector<std::string>& readable
  ) {
    const Result<std::uint64_t> made = session.database->run(wanted.setup);
    if (!made) {
      return fail(made.error().code, "the tables cannot be opened: {}", made.error().message);
    }
    session.access->readable = Readable(readable);
    return session.database->lock_down(session.access->readable);
  }

  Result<Packet> query(const Request& wanted) {
    Session session = TRY(open(wanted, Spill::no));
    const Released released(watchdog_);
    TRY(lock_down(session, wanted, wanted.readable));
    const WriteBan ban;
    const std::unique_ptr<Rows> rows = TRY(session.database->read_untrusted(wanted.sql));
    JsonRows json = TRY(JsonRows::create(*library_, rows->result()));
    QueryResult result;
    result.columns = json.columns();
    result.json = "[";
    while (!result.truncated) {
      const duckdb_data_chunk chunk = TRY(rows->next());
      if (chunk == nullptr) break;
      json.load(chunk);
      const idx_t size = library_->data_chunk_get_size(chunk);
      for (idx_t row = 0; row < size && !result.truncated; ++row) {
        append_row(json, row, wanted, result);
      }
      if (watchdog_.is_late()) return fail(Code::deadline, "too late");
    }
    result.json += ']';
    return to_packet(PacketKind::done, result);
  }

  // Appends the row, or marks the result as truncated when a limit is reached.
  static void append_row(JsonRows& json, idx_t row, const Request& limits, QueryResult& result) {
    if (result.rows == limits.max_rows) {
      result.truncated = true;
      return;
    }
    const std::size_t before = result.json.size();
    if (result.rows > 0) result.json += ',';
    json.append(row, result.json);
    if (result.json.size() + 1 > limits.max_bytes) {
      result.json.resize(before);
      result.truncated = true;
      return;
    }
    ++result.rows;
  }

  Result<Packet> export_rows(const Request& wanted) {
    const FileFormat format = TRY(file_format(wanted.path));
    Session session = TRY(open(wanted, Spill::yes));
    const Released released(watchdog_);
    std::vector<std::string> allowed = wanted.readable;
    const std::string temporary = wanted.path + ".tmp";
    allowed.push_back(temporary);
    TRY(lock_down(session, wanted, allowed));
    TRY(session.database->check_untrusted(wanted.sql));
    const std::string text(without_end(wanted.sql));
    const Result<std::uint64_t> rows = session.database->run(
        "COPY (\n" + text + "\n) TO " + literal(temporary) + " " + copy_options(format)
    );
    std::error_code error;
    if (!rows) {
      std::filesystem::remove(temporary, error);
      return tl::unexpected(rows.error());
    }
    TRY(system_files().rename(temporary, wanted.path));
    return changed(*rows);
  }

  Result<Packet> execute(const Request& wanted) {
    Session session = TRY(open(wanted, Spill::yes));
    const Released released(watchdog_);
    return changed(TRY(session.database->run(wanted.sql)));
  }

  static Packet changed(std::uint64_t rows) {
    QueryResult result;
    result.rows = rows;
    return to_packet(PacketKind::done, result);
  }

  Result<Packet> read(const Request& wanted) {
    Session session = TRY(open(wanted, Spill::yes));
    const Released released(watchdog_);
    const std::unique_ptr<Rows> rows = TRY(session.database->read(wanted.sql));
    JsonRows json = TRY(JsonRows::create(*library_, rows->result()));
    QueryResult batch;
    batch.columns = json.columns();
    std::uint64_t total = 0;
    const auto flush = [&]() -> Result<void> {
      batch.json += ']';
      TRY(send_packet(socket_, to_packet(PacketKind::part, batch), {0, largest_packet}));
      total += std::exchange(batch.rows, 0);
      batch.json.clear();
      return {};
    };
    for (;;) {
      const duckdb_data_chunk chunk = TRY(rows->next());
      if (chunk == nullptr) break;
      json.load(chunk);
      for (idx_t row = 0; row < library_->data_chunk_get_size(chunk); ++row) {
        batch.json += batch.rows == 0 ? '[' : ',';
        json.append(row, batch.json);
        ++batch.rows;
        if (batch.rows >= wanted.max_rows || batch.json.size() >= wanted.max_bytes) TRY(flush());
      }
    }
    if (batch.rows > 0) TRY(flush());
    batch.rows = total;
    return to_packet(PacketKind::done, batch);
  }

  Result<Packet> read_matrix(const Request& wanted) {
    Session session = TRY(open(wanted, Spill::yes));
    const Released released(watchdog_);
    const std::unique_ptr<Rows> rows = TRY(session.database->read(wanted.sql));
    QueryResult result;
    const JsonRows columns = TRY(JsonRows::create(*library_, rows->result()));
    result.columns = columns.columns();
    for (const ColumnInfo& column : result.columns) {
      CHECK(column.type == "FLOAT", "a matrix is asked for with casts to FLOAT");
    }
    const std::uint64_t row_bytes = result.columns.size() * sizeof(float);
    for (;;) {
      const duckdb_data_chunk chunk = TRY(rows->next());
      if (chunk == nullptr) break;
      result.rows += library_->data_chunk_get_size(chunk);
      if (result.rows * row_bytes > wanted.max_bytes) {
        return fail(
            Code::exhausted,
            "the rows of {} columns take more than {} MiB; read fewer of them, or raise the limit",
            result.columns.size(),
            wanted.max_bytes >> 20
        );
      }
      TRY(send_packet(socket_, matrix_part(chunk), {0, largest_packet}));
    }
    return to_packet(PacketKind::done, result);
  }

  Result<Packet> read_columns(const Request& wanted) {
    Packet description = TRY(receive_packet(socket_, {0, largest_packet}));
    const auto specs = std::make_shared<const tensor::ColumnSpecs>(TRY(take_specs(description)));
    Session session = TRY(open(wanted, Spill::yes));
    const Released released(watchdog_);
    QueryResult result;
    {
      const std::unique_ptr<Rows> rows = TRY(session.database->read(wanted.sql));
      result.rows = TRY(send_columns(*rows, wanted, specs));
    }
    if (!wanted.after.empty()) {
      const std::unique_ptr<Rows> rows = TRY(session.database->read(wanted.after));
      JsonRows json = TRY(JsonRows::create(*library_, rows->result()));
      while (const duckdb_data_chunk chunk = TRY(rows->next())) {
        json.load(chunk);
        for (idx_t row = 0; row < library_->data_chunk_get_size(chunk); ++row) {
          result.json += result.json.empty() ? '[' : ',';
          json.append(row, result.json);
        }
      }
      result.json += result.json.empty() ? "[]" : "]";
    }
    return to_packet(PacketKind::done, result);
  }

  // Sends all rows but the first `skip_rows` and returns how many they were.
  Result<std::uint64_t> send_columns(
      Rows& rows, const Request& wanted, const std::shared_ptr<const tensor::ColumnSpecs>& specs
  ) {
    ColumnsReader reader(*library_, specs);
    TRY(reader.check(rows.result()));
    tensor::Columns batch(specs);
    std::uint64_t to_skip = wanted.skip_rows;
    std::uint64_t total = 0;
    const auto flush = [&]() -> Result<void> {
      Packet part(PacketKind::part);
      put_columns(part, batch);
      total += batch.rows();
      batch.clear();
      return send_packet(socket_, part, {0, largest_packet});
    };
    while (const duckdb_data_chunk chunk = TRY(rows.next())) {
      const idx_t size = library_->data_chunk_get_size(chunk);
      const idx_t skipped = std::min<idx_t>(to_skip, size);
      to_skip -= skipped;
      for (idx_t at = skipped; at < size;) {
        const idx_t count = std::min<idx_t>(size - at, wanted.max_rows - batch.rows());
        reader.append(chunk, at, count, batch);
        at += count;
        if (batch.rows() == wanted.max_rows) TRY(flush());
      }
    }
    if (batch.rows() > 0) TRY(flush());
    return total;
  }

  Result<Packet> write_columns(const Request& wanted) {
    IncomingColumns incoming(socket_, largest_packet);
    const OpenBatches open_incoming = [&](auto, auto, auto) { return incoming.reader(); };
    Result<Packet> answer = write_incoming(wanted, open_incoming);
    // Whatever became of the statement, the parent sends all of it before it listens.
    TRY(incoming.drain());
    return answer;
  }

  Result<Packet> write_incoming(const Request& wanted, const OpenBatches& open_incoming) {
    try {
      Session session = TRY(open(wanted, Spill::yes, open_incoming));
      const Released released(watchdog_);
      return changed(TRY(session.database->run(wanted.sql)));
    } catch (const std::exception& error) {
      return fail(Code::exhausted, "the SQL worker failed: {}", error.what());
    }
  }

  // Columns become rows.
  Packet matrix_part(duckdb_data_chunk chunk) const {
    const idx_t rows = library_->data_chunk_get_size(chunk);
    const idx_t width = library_->data_chunk_get_column_count(chunk);
    std::vector<float> values(rows * width);
    for (idx_t column = 0; column < width; ++column) {
      const duckdb_vector vector = library_->data_chunk_get_vector(chunk, column);
      const auto* data = static_cast<const float*>(library_->vector_get_data(vector));
      const std::uint64_t* validity = library_->vector_get_validity(vector);
      for (idx_t row = 0; row < rows; ++row) {
        const bool is_valid = validity == nullptr || (validity[row / 64] >> (row % 64) & 1U) != 0;
        values[row * width + column] =
            is_valid ? data[row] : std::numeric_limits<float>::quiet_NaN();
      }
    }
    Packet part(PacketKind::part);
    part.put(std::string_view(
        reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)
    ));
    return part;
  }

  // Ends the watch before the database goes.
  class Released {
   public:
    explicit Released(Watchdog& watchdog) : watchdog_(watchdog) {}
    Released(const Released&) = delete;
    Released& operator=(const Released&) = delete;
    ~Released() { watchdog_.release(); }

   private:
    Watchdog& watchdog_;
  };

  const int socket_;
  const OpenBatches& open_;
  const ChildOptions options_;
  std::optional<DuckDb> library_;
  Watchdog watchdog_;
};

Result<ChildOptions> configure(int socket) {
  Packet first = TRY(receive_packet(socket, {0, max_configuration_bytes}));
  if (first.kind() != PacketKind::configure) {
    return fail(Code::internal, "the first packet does not configure the worker");
  }
  ChildOptions options = TRY(child_options(first));
  // DuckDB counts most of what it holds, but not all, and results need room beside it.
  constexpr std::uint64_t beside_bytes = 1ULL << 30;
  confine_process({options.memory_bytes * 2 + beside_bytes, static_cast<int>(options.niceness)});
  // Times are shown and read in UTC, wherever the machine stands.
  ::setenv("TZ", "UTC", 1);
  TRY(send_packet(socket, Packet(PacketKind::done), {0, max_configuration_bytes}));
  return options;
}

}  // namespace

int run_worker(int socket, const OpenBatches& open) {
  Result<ChildOptions> options = configure(socket);
  if (!options) {
    LOG(error, "this command is for the program itself: {}", options.error().message);
    return 2;
  }
  Child child(socket, open, std::move(*options));
  const Result<void> served = child.serve();
  // The parent closing its end is how a worker ends.
  if (served || served.error().code == Code::unavailable) return 0;
  LOG(error, "the SQL worker ends: {}", served.error().message);
  return 1;
}

}  // namespace weir::table
