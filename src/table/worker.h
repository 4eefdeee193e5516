#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "table/batch_reader.h"
#include "tensor/columns.h"

// SQL and Parquet in a process of their own, so that nothing that happens there can hurt serving:
// the worker is this same program, started when first needed with a hidden command, and it has
// caps on memory, time, rows and bytes. This header is both ends: Worker in the parent, run_worker
// in the child.

namespace weir::table {

struct WorkerOptions {
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments = {"worker"};  // The child finds its socket at worker_socket.
  std::string duckdb_library{};  // Empty: see duckdb_library.h for where it is looked for.
  std::string temp_folder{};     // For sorts larger than the memory, in `execute` and `export_rows`
                                 // only; empty: such statements fail instead.
  std::uint64_t memory_bytes = 1ULL << 30;       // What the database may use.
  std::uint64_t max_temp_bytes = 8ULL << 30;     // What it may put into temp_folder.
  std::uint64_t max_result_rows = 100'000;       // A longer result is cut and says so.
  std::uint64_t max_result_bytes = 64ULL << 20;  // The same for the JSON text.
  std::uint64_t max_matrix_bytes = 2ULL << 30;   // A larger matrix is refused.
  std::uint64_t max_statement_bytes = 64ULL << 20;
  std::int64_t timeout_us = 60'000'000;             // Of a query, waiting for its turn included.
  std::int64_t execute_timeout_us = 3'600'000'000;  // The same for trusted statements.
  std::int64_t start_timeout_us = 10'000'000;  // From the start of the child to its first word.
  std::int64_t kill_after_us = 5'000'000;  // A child that ignores its time limit is killed then.
  int threads = 2;
  int niceness = 10;  // Serving goes first.
};

// What a person asks. `setup` is ours, `sql` is not trusted.
struct Query {
  std::string setup{};                  // Statements that make views; they may read any file.
  std::string sql{};                    // One statement that only reads.
  std::vector<std::string> readable{};  // Files, and folders with all below them, that `sql` may
                                        // read, through the views or directly. Absolute paths.
  std::uint64_t max_rows = 0;           // 0: WorkerOptions::max_result_rows, which is also the cap.
  std::int64_t timeout_us = 0;          // 0: WorkerOptions::timeout_us.
};

struct ColumnInfo {
  std::string name;
  std::string type;  // As SQL writes it: "BIGINT", "DECIMAL(10,2)", "VARCHAR[]".
  bool operator==(const ColumnInfo&) const = default;
};

struct QueryResult {
  std::vector<ColumnInfo> columns;
  std::string json;  // An array with one object per row, in the form of json_text.h.
  std::uint64_t rows = 0;
  bool truncated = false;  // There were more rows than max_rows or max_result_bytes allow.
};

// Rows of numbers, for training.
struct FloatMatrix {
  std::vector<std::string> columns;
  std::uint64_t rows = 0;
  std::vector<float> values;  // Row by row; NaN where the value is missing.
};

// Rows of numbers and texts in bulk.
struct ColumnsQuery {
  std::string sql{};    // One trusted statement that gives the columns of `specs`, in that order.
  std::string after{};  // Another one, run behind it; empty: none.
  std::shared_ptr<const tensor::ColumnSpecs> specs{};  // fp16 and bf16 cannot be read.
  std::uint64_t skip_rows = 0;                         // Left out at the beginning.
  std::uint64_t batch_rows = 100'000;
};

// The parent's end: owns the child process. Calls take turns, so a long compaction delays a query
// that uses the same worker; whoever wants both at once makes two workers. A child that died is
// replaced at the next call, and it never outlives its parent. Thread-safe.
class Worker {
 public:
  explicit Worker(WorkerOptions options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // A SELECT-like statement (SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN,
  // PIVOT) in a fresh database that holds only what `setup` made and may read only `readable`.
  // Nothing is written. Errors: invalid_argument for bad or forbidden SQL, exhausted when memory
  // or the wait for a turn runs out, deadline, unavailable when the child died.
  Result<QueryResult> query(const Query& query);

  // Writes all rows of a query to a .parquet, .csv, .ndjson or .json file, under a temporary name
  // first. Returns the number of rows. Row limits do not apply; the time limit is that of
  // `execute` unless the query says otherwise.
  Result<std::uint64_t> export_rows(const Query& query, const std::string& path);

  // Trusted statements, one after the other, in a fresh database with access to files (COPY … TO
  // parquet). Returns how many rows the last one changed or copied.
  Result<std::uint64_t> execute(std::string_view sql);

  // The rows of one trusted statement, in batches of up to `batch_rows`, each handed to `sink`
  // while the worker reads on; an error of the sink ends the reading. Returns the columns and the
  // number of all rows, without JSON text. The sink must not call this worker.
  using Sink = std::function<Result<void>(QueryResult&& batch)>;
  Result<QueryResult> read(std::string_view sql, std::uint64_t batch_rows, const Sink& sink);

  // The rows of a trusted query whose columns are all FLOAT.
  Result<FloatMatrix> read_matrix(std::string_view sql);

  // The rows of a statement in batches of exactly `batch_rows`, the last one shorter, while the
  // worker reads on; as for `read`. Returns the number of rows given, and as `json` the rows of
  // `after`.
  using ColumnsSink = std::function<Result<void>(tensor::Columns&& batch)>;
  Result<QueryResult> read_columns(const ColumnsQuery& query, const ColumnsSink& sink);

  // Runs trusted statements, of which one reads the rows that `source` gives, batch by batch, from
  // `incoming_rows`: COPY (FROM …) TO 'x'. The source gives nullptr at the end, and must not call
  // this worker. Returns how many rows the last statement copied.
  using ColumnsSource = std::function<Result<const tensor::Columns*>()>;
  Result<std::uint64_t> write_columns(
      std::string_view sql, const tensor::ColumnSpecs& specs, const ColumnsSource& source
  );

  // Starts the child if it does not run. Otherwise the first call does.
  Result<void> start();
  // Ends the child, also one that is at work: its caller gets `unavailable`. The next call starts
  // another.
  void stop();
  // The child's process id; nothing while none runs.
  std::optional<int> pid() const;
  // The memory that the child holds now; 0 while none runs.
  std::uint64_t memory_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What stands for the rows in the statement of write_columns.
inline constexpr std::string_view incoming_rows = "weir_segments(NULL, '', 'incoming')";

// Where the child finds its end of the socket.
inline constexpr int worker_socket = 3;

// The child's main: answers requests on the socket until the parent closes it; returns the exit
// code. `open` reads segments for weir_segments.
int run_worker(int socket, const OpenBatches& open);

}  // namespace weir::table
