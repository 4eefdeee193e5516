#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "table/packet.h"
#include "table/worker.h"

// The requests to a worker and its answers, as packets.

namespace weir::table {

// What the child knows of WorkerOptions.
struct ChildOptions {
  std::string duckdb_library;
  std::string temp_folder;
  std::uint64_t memory_bytes = 0;
  std::uint64_t max_temp_bytes = 0;
  std::uint64_t max_statement_bytes = 0;
  std::uint64_t threads = 0;
  std::uint64_t niceness = 0;
};

// One form for all requests; a kind leaves empty what it has no use for.
struct Request {
  PacketKind kind = PacketKind::query;
  std::string setup;
  std::string sql;
  std::vector<std::string> readable;
  std::string path;             // export_rows: where to.
  std::uint64_t max_rows = 0;   // query: of the result; read, read_columns: of a batch.
  std::uint64_t skip_rows = 0;  // read_columns: at the beginning.
  std::string after;            // read_columns: a statement whose rows come with `done`.
  std::uint64_t max_bytes = 0;  // query: of the JSON text; read_matrix: of the values.
  std::uint64_t timeout_us = 0;
};

Packet to_packet(const ChildOptions& options);
Packet to_packet(const Request& request);
Packet to_packet(PacketKind kind, const QueryResult& result);
Packet to_packet(const Error& error);

Result<ChildOptions> child_options(Packet& packet);
Result<Request> request(Packet& packet);
Result<QueryResult> query_result(Packet& packet);
// The error that the packet carries, or the one that reading it made.
Error error_of(Packet& packet);

}  // namespace weir::table
