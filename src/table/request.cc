#include "table/request.h"

namespace weir::table {

Packet to_packet(const ChildOptions& options) {
  Packet packet(PacketKind::configure);
  packet.put(options.duckdb_library);
  packet.put(options.temp_folder);
  packet.put(options.memory_bytes);
  packet.put(options.max_temp_bytes);
  packet.put(options.max_statement_bytes);
  packet.put(options.threads);
  packet.put(options.niceness);
  return packet;
}

Packet to_packet(const Request& request) {
  Packet packet(request.kind);
  packet.put(request.setup);
  packet.put(request.sql);
  packet.put(request.readable);
  packet.put(request.path);
  packet.put(request.max_rows);
  packet.put(request.skip_rows);
  packet.put(request.after);
  packet.put(request.max_bytes);
  packet.put(request.timeout_us);
  return packet;
}

Packet to_packet(PacketKind kind, const QueryResult& result) {
  Packet packet(kind);
  packet.put(static_cast<std::uint64_t>(result.columns.size()));
  for (const ColumnInfo& column : result.columns) {
    packet.put(column.name);
    packet.put(column.type);
  }
  packet.put(result.json);
  packet.put(result.rows);
  packet.put(std::uint64_t{result.truncated});
  return packet;
}

Packet to_packet(const Error& error) {
  Packet packet(PacketKind::failed);
  packet.put(static_cast<std::uint64_t>(error.code));
  packet.put(error.message);
  return packet;
}

Result<ChildOptions> child_options(Packet& packet) {
  ChildOptions options;
  options.duckdb_library = TRY(packet.take_text());
  options.temp_folder = TRY(packet.take_text());
  options.memory_bytes = TRY(packet.take_number());
  options.max_temp_bytes = TRY(packet.take_number());
  options.max_statement_bytes = TRY(packet.take_number());
  options.threads = TRY(packet.take_number());
  options.niceness = TRY(packet.take_number());
  return options;
}

Result<Request> request(Packet& packet) {
  Request request;
  request.kind = packet.kind();
  request.setup = TRY(packet.take_text());
  request.sql = TRY(packet.take_text());
  request.readable = TRY(packet.take_texts());
  request.path = TRY(packet.take_text());
  request.max_rows = TRY(packet.take_number());
  request.skip_rows = TRY(packet.take_number());
  request.after = TRY(packet.take_text());
  request.max_bytes = TRY(packet.take_number());
  request.timeout_us = TRY(packet.take_number());
  return request;
}

Result<QueryResult> query_result(Packet& packet) {
  QueryResult result;
  const std::uint64_t count = TRY(packet.take_number());
  for (std::uint64_t i = 0; i < count; ++i) {
    ColumnInfo column;
    column.name = TRY(packet.take_text());
    column.type = TRY(packet.take_text());
    result.columns.push_back(std::move(column));
  }
  result.json = TRY(packet.take_text());
  result.rows = TRY(packet.take_number());
  result.truncated = TRY(packet.take_number()) != 0;
  return result;
}

Error error_of(Packet& packet) {
  const Result<std::uint64_t> code = packet.take_number();
  Result<std::string> message = packet.take_text();
  if (!code || !message || *code > static_cast<std::uint64_t>(Code::internal)) {
    return Error{Code::internal, "the SQL worker failed and could not say why"};
  }
  return Error{static_cast<Code>(*code), std::move(*message)};
}

}  // namespace weir::table
